//! The crate `pulp`, at its two x86-64 levels and on NEON: our loops over its tokens, so that what
//! differs from the hand-written rows is the abstraction and nothing else.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

#[cfg(feature = "pulp")]
pub(super) mod token {
    use crate::isa::simd::Simd;

    /// A token of `pulp` as one of ours.
    #[derive(Clone, Copy)]
    pub(crate) struct Token<P>(P);

    #[cfg(target_arch = "x86_64")]
    impl Token<pulp::x86::V3> {
        /// # Safety
        /// The CPU has AVX2 and FMA ([`crate::Level::Avx2`]).
        #[inline(always)]
        pub(crate) unsafe fn assume() -> Self {
            // SAFETY: the level holds every feature of V3; the caller promises the level.
            Self(unsafe { pulp::x86::V3::new_unchecked() })
        }
    }

    #[cfg(target_arch = "x86_64")]
    impl Token<pulp::x86::V4> {
        /// # Safety
        /// The CPU has [`crate::Level::Avx512`].
        #[inline(always)]
        pub(crate) unsafe fn assume() -> Self {
            // SAFETY: the level holds every feature of V4; the caller promises the level.
            Self(unsafe { pulp::x86::V4::new_unchecked() })
        }
    }

    #[cfg(target_arch = "aarch64")]
    impl Token<pulp::aarch64::Neon> {
        /// # Safety
        /// The CPU has [`crate::Level::Neon`].
        #[inline(always)]
        pub(crate) unsafe fn assume() -> Self {
            // SAFETY: the level is NEON; the caller promises it.
            Self(unsafe { pulp::aarch64::Neon::new_unchecked() })
        }
    }

    impl<P: pulp::Simd> Simd for Token<P> {
        type V = P::f32s;
        type Chunk = P::f32s;
        const LANES: usize = P::F32_LANES;

        #[inline(always)]
        fn chunks(self, x: &[f32]) -> (&[P::f32s], &[f32]) {
            P::as_simd_f32s(x)
        }

        #[inline(always)]
        fn chunks_mut(self, x: &mut [f32]) -> (&mut [P::f32s], &mut [f32]) {
            P::as_mut_simd_f32s(x)
        }

        #[inline(always)]
        fn zero(self) -> P::f32s {
            self.0.splat_f32s(0.0)
        }

        #[inline(always)]
        fn load(self, x: &P::f32s) -> P::f32s {
            *x
        }

        #[inline(always)]
        fn load_partial(self, x: &[f32]) -> P::f32s {
            self.0.partial_load_f32s(x)
        }

        #[inline(always)]
        fn splat(self, x: f32) -> P::f32s {
            self.0.splat_f32s(x)
        }

        #[inline(always)]
        fn store(self, v: P::f32s, out: &mut P::f32s) {
            *out = v;
        }

        #[inline(always)]
        fn store_partial(self, v: P::f32s, out: &mut [f32]) {
            self.0.partial_store_f32s(out, v);
        }

        #[inline(always)]
        fn add(self, a: P::f32s, b: P::f32s) -> P::f32s {
            self.0.add_f32s(a, b)
        }

        #[inline(always)]
        fn sub(self, a: P::f32s, b: P::f32s) -> P::f32s {
            self.0.sub_f32s(a, b)
        }

        #[inline(always)]
        fn mul(self, a: P::f32s, b: P::f32s) -> P::f32s {
            self.0.mul_f32s(a, b)
        }

        #[inline(always)]
        fn mul_add(self, a: P::f32s, b: P::f32s, c: P::f32s) -> P::f32s {
            self.0.mul_add_e_f32s(a, b, c)
        }

        #[inline(always)]
        fn abs(self, a: P::f32s) -> P::f32s {
            self.0.abs_f32s(a)
        }

        #[inline(always)]
        fn max_abs(self, a: P::f32s, b: P::f32s) -> P::f32s {
            // pulp has no integer maximum: compare and select the bit patterns.
            let (x, y) = (self.0.transmute_u32s_f32s(a), self.0.transmute_u32s_f32s(b));
            let larger = self.0.greater_than_u32s(x, y);
            self.0.transmute_f32s_u32s(self.0.select_u32s(larger, x, y))
        }

        #[inline(always)]
        fn sum(self, v: P::f32s) -> f32 {
            self.0.reduce_sum_f32s(v)
        }

        #[inline(always)]
        fn max_lane(self, v: P::f32s) -> f32 {
            let lanes: &[f32] = bytemuck_lanes(&v);
            lanes.iter().fold(0.0, |m: f32, &x| f32::from_bits(m.to_bits().max(x.to_bits())))
        }

        #[inline(always)]
        fn prefetch(self, _x: &f32) {
            // pulp has no prefetch.
        }
    }

    /// The lanes of a register.
    #[inline(always)]
    fn bytemuck_lanes<T: pulp::bytemuck::Pod>(v: &T) -> &[f32] {
        pulp::bytemuck::cast_slice(core::slice::from_ref(v))
    }
}

/// `pulp` at AVX2 + FMA.
pub(super) mod v3 {
    isa_variants! {
        level: Avx2, technique: Pulp, name: "pulp-v3",
        when: all(target_arch = "x86_64", feature = "pulp"),
        absent: "needs x86-64 and the feature `pulp`",
        features: target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c"),
        token: super::super::token::Token<pulp::x86::V3>, blocked: [3, 1],
        fixed: [], constant: [],
    }
}

/// `pulp` at AVX-512.
pub(super) mod v4 {
    isa_variants! {
        level: Avx512, technique: Pulp, name: "pulp-v4",
        when: all(target_arch = "x86_64", feature = "pulp"),
        absent: "needs x86-64 and the feature `pulp`",
        features: target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c,avx512f,avx512bw,avx512cd,avx512dq,avx512vl"),
        token: super::super::token::Token<pulp::x86::V4>, blocked: [2, 2],
        fixed: [], constant: [],
    }
}

/// `pulp` on NEON.
pub(super) mod neon {
    isa_variants! {
        level: Neon, technique: Pulp, name: "pulp-neon",
        when: all(target_arch = "aarch64", feature = "pulp"),
        absent: "needs aarch64 and the feature `pulp`",
        features: target_feature(enable = "neon"),
        token: super::super::token::Token<pulp::aarch64::Neon>, blocked: [4, 2],
        fixed: [], constant: [],
    }
}
