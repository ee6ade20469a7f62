//! The NEON token: 4 lanes, fused multiply-add.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::aarch64::*;

use super::simd::Simd;
pub(crate) use super::tokens::Neon;

impl Simd for Neon {
    type V = float32x4_t;
    type Chunk = [f32; 4];
    const LANES: usize = 4;

    #[inline(always)]
    fn chunks(self, x: &[f32]) -> (&[Self::Chunk], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn chunks_mut(self, x: &mut [f32]) -> (&mut [Self::Chunk], &mut [f32]) {
        x.as_chunks_mut()
    }

    #[inline(always)]
    fn zero(self) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_f32(0.0) }
    }

    #[inline(always)]
    fn load(self, x: &[f32; 4]) -> float32x4_t {
        // SAFETY: the token proves NEON; the chunk has 4 elements.
        unsafe { vld1q_f32(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[f32]) -> float32x4_t {
        let mut padded = [0.0; 4];
        for (p, &v) in padded.iter_mut().zip(x) {
            *p = v;
        }
        self.load(&padded)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_f32(x) }
    }

    #[inline(always)]
    fn store(self, v: float32x4_t, out: &mut [f32; 4]) {
        // SAFETY: the token proves NEON; the chunk has 4 elements.
        unsafe { vst1q_f32(out.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn store_partial(self, v: float32x4_t, out: &mut [f32]) {
        let mut lanes = [0.0; 4];
        self.store(v, &mut lanes);
        for (o, &lane) in out.iter_mut().zip(&lanes) {
            *o = lane;
        }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vaddq_f32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vsubq_f32(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vmulq_f32(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vfmaq_f32(c, a, b) }
    }

    #[inline(always)]
    fn abs(self, a: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vabsq_f32(a) }
    }

    #[inline(always)]
    fn max_abs(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON. FMAX returns NaN if either operand is.
        unsafe { vmaxq_f32(a, b) }
    }

    #[inline(always)]
    fn sum(self, v: float32x4_t) -> f32 {
        // SAFETY: the token proves NEON.
        unsafe { vaddvq_f32(v) }
    }

    #[inline(always)]
    fn max_lane(self, v: float32x4_t) -> f32 {
        // SAFETY: the token proves NEON. FMAXV returns NaN if any lane is.
        unsafe { vmaxvq_f32(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [float32x4_t; 4]) -> [f32; 4] {
        let mut out = [0.0; 4];
        // SAFETY: the token proves NEON.
        let sums = unsafe { pairwise(v) };
        // SAFETY: `out` has 4 elements.
        unsafe { vst1q_f32(out.as_mut_ptr(), sums) };
        out
    }

    #[inline(always)]
    fn any_not_above(self, v: float32x4_t, limit: float32x4_t) -> bool {
        // SAFETY: the token proves NEON.
        unsafe { any_not_above(v, limit) }
    }

    #[inline(always)]
    fn take_below(
        self,
        best: (float32x4_t, float32x4_t),
        new: (float32x4_t, float32x4_t),
    ) -> (float32x4_t, float32x4_t) {
        // SAFETY: the token proves NEON.
        unsafe { take_below(best, new) }
    }

    #[inline(always)]
    fn turn4(self, v: [float32x4_t; 4]) -> [float32x4_t; 4] {
        // SAFETY: the token proves NEON.
        unsafe { turn4(v) }
    }

    #[inline(always)]
    fn quarter(self, v: float32x4_t, _k: usize) -> [f32; 4] {
        let mut out = [0.0; 4];
        self.store(v, &mut out);
        out
    }

    #[inline(always)]
    fn prefetch(self, x: &f32) {
        let address = core::ptr::from_ref(x);
        // SAFETY: `prfm` reads nothing that the program can see, at any address.
        unsafe {
            core::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address,
                options(nostack, readonly, preserves_flags));
        }
    }
}

/// The sums of four registers, one a lane.
#[inline]
#[target_feature(enable = "neon")]
fn pairwise(v: [float32x4_t; 4]) -> float32x4_t {
    vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]))
}

/// Whether a lane is not above its limit.
#[inline]
#[target_feature(enable = "neon")]
fn any_not_above(v: float32x4_t, limit: float32x4_t) -> bool {
    vminvq_u32(vcgtq_f32(v, limit)) == 0
}

/// The new values where they are below the best.
#[inline]
#[target_feature(enable = "neon")]
fn take_below(
    best: (float32x4_t, float32x4_t),
    new: (float32x4_t, float32x4_t),
) -> (float32x4_t, float32x4_t) {
    let below = vcltq_f32(new.0, best.0);
    (vbslq_f32(below, new.0, best.0), vbslq_f32(below, new.1, best.1))
}

/// Four rows turned.
#[inline]
#[target_feature(enable = "neon")]
fn turn4([a, b, c, d]: [float32x4_t; 4]) -> [float32x4_t; 4] {
    let (ac_low, ac_high) = (vzip1q_f32(a, c), vzip2q_f32(a, c));
    let (bd_low, bd_high) = (vzip1q_f32(b, d), vzip2q_f32(b, d));
    [
        vzip1q_f32(ac_low, bd_low),
        vzip2q_f32(ac_low, bd_low),
        vzip1q_f32(ac_high, bd_high),
        vzip2q_f32(ac_high, bd_high),
    ]
}
