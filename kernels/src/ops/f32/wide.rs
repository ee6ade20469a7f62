//! The crate `wide`: registers whose width and fused multiply-add are fixed when the crate is
//! compiled. A default x86-64 build makes pairs of SSE2 registers of them; judge it per build.
#![allow(unsafe_code, reason = "rows that name a level")]

#[cfg(feature = "wide")]
pub(crate) mod token {
    use wide::f32x8;

    use crate::isa::simd::Simd;

    /// The token of a crate that asks for no level.
    #[derive(Clone, Copy)]
    pub(crate) struct Wide(());

    impl Wide {
        /// # Safety
        /// None: `wide` uses what the whole build may use. The signature is the other tokens'.
        #[inline(always)]
        pub(crate) const unsafe fn assume() -> Self {
            Self(())
        }
    }

    impl Simd for Wide {
        type V = f32x8;
        type Chunk = [f32; 8];
        const LANES: usize = 8;

        #[inline(always)]
        fn chunks(self, x: &[f32]) -> (&[[f32; 8]], &[f32]) {
            x.as_chunks()
        }

        #[inline(always)]
        fn chunks_mut(self, x: &mut [f32]) -> (&mut [[f32; 8]], &mut [f32]) {
            x.as_chunks_mut()
        }

        #[inline(always)]
        fn zero(self) -> f32x8 {
            f32x8::ZERO
        }

        #[inline(always)]
        fn load(self, x: &[f32; 8]) -> f32x8 {
            f32x8::new(*x)
        }

        #[inline(always)]
        fn load_partial(self, x: &[f32]) -> f32x8 {
            let mut padded = [0.0; 8];
            for (p, &v) in padded.iter_mut().zip(x) {
                *p = v;
            }
            f32x8::new(padded)
        }

        #[inline(always)]
        fn splat(self, x: f32) -> f32x8 {
            f32x8::splat(x)
        }

        #[inline(always)]
        fn store(self, v: f32x8, out: &mut [f32; 8]) {
            *out = v.to_array();
        }

        #[inline(always)]
        fn store_partial(self, v: f32x8, out: &mut [f32]) {
            for (o, lane) in out.iter_mut().zip(v.to_array()) {
                *o = lane;
            }
        }

        #[inline(always)]
        fn add(self, a: f32x8, b: f32x8) -> f32x8 {
            a + b
        }

        #[inline(always)]
        fn sub(self, a: f32x8, b: f32x8) -> f32x8 {
            a - b
        }

        #[inline(always)]
        fn mul(self, a: f32x8, b: f32x8) -> f32x8 {
            a * b
        }

        #[inline(always)]
        fn mul_add(self, a: f32x8, b: f32x8, c: f32x8) -> f32x8 {
            a.mul_add(b, c)
        }

        #[inline(always)]
        fn abs(self, a: f32x8) -> f32x8 {
            a.abs()
        }

        #[inline(always)]
        fn max_abs(self, a: f32x8, b: f32x8) -> f32x8 {
            // Neither is negative, so signed integers order the bit patterns as well.
            let max = wide::i32x8::max(a.to_bits_i32(), b.to_bits_i32());
            f32x8::from_bits_i32(max)
        }

        #[inline(always)]
        fn sum(self, v: f32x8) -> f32 {
            v.reduce_add()
        }

        #[inline(always)]
        fn max_lane(self, v: f32x8) -> f32 {
            v.to_array()
                .into_iter()
                .fold(0.0, |m: f32, x| f32::from_bits(m.to_bits().max(x.to_bits())))
        }

        #[inline(always)]
        fn prefetch(self, _x: &f32) {
            // wide has no prefetch.
        }
    }

    /// Registers as bit patterns.
    trait Bits {
        fn to_bits_i32(self) -> wide::i32x8;
        fn from_bits_i32(bits: wide::i32x8) -> Self;
    }

    impl Bits for f32x8 {
        #[inline(always)]
        fn to_bits_i32(self) -> wide::i32x8 {
            wide::bytemuck::cast(self)
        }

        #[inline(always)]
        fn from_bits_i32(bits: wide::i32x8) -> Self {
            wide::bytemuck::cast(bits)
        }
    }
}

isa_variants! {
    level: Scalar, technique: Wide, name: "wide-f32x8",
    when: feature = "wide", absent: "needs the feature `wide`",
    features: inline, token: super::token::Wide, blocked: [2, 1],
    fixed: [], constant: [],
}
