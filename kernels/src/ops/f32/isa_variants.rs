//! One instruction set, every shape: the entries that enable the level's features around the
//! loops, and the rows that announce them. Each technique file calls this once per level.

/// `blocked` are the accumulators for each of four rows: for metrics with one sum, and for those
/// with two, which need twice the registers.
///
/// Makes the module body for one level: `const fn`s that return the rows of its variants, and the
/// entries behind them. Where `when` is false the rows are there, and say why they cannot run.
macro_rules! isa_variants {
    (
        level: $level:ident, technique: $technique:ident, name: $name:literal,
        when: $when:meta, absent: $absent:literal,
        features: $features:meta, token: $token:ty, blocked: [$blocked:literal, $two_sums:literal],
        fixed: [$($v:literal)*], constant: [$($d:literal)*],
    ) => {
        use crate::isa::Level;
        #[cfg($when)]
        use crate::kernel::Entry;
        use crate::kernel::{Technique, Variant};
        use crate::ops::f32::F32;
        use crate::ops::f32::metric::{Cosine, Dot, Step};
        use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Row, Scan, ScanNorms};

        #[cfg($when)]
        mod imp {
            use crate::isa::simd::Simd;
            use crate::layout::RowsRef;
            use crate::loops;
            use crate::ops::f32::arith::Lanes;
            use crate::ops::f32::metric::{Dot, Step};
            use crate::shape::cosine_from_norms;

            isa_variants! { @entries $features, $token;
                pub(super) fn pair<M: Step>(a: &[f32], b: &[f32]) -> f32 {
                    |s| {
                        // SAFETY: both have the dimension that the entry was resolved for.
                        unsafe { equal(a, b) };
                        loops::pair::<_, 4>(Lanes::<_, M>::new(s), a, b)
                    }
                }
                pub(super) fn pair_norms[](a: &[f32], b: &[f32], ia: f32, ib: f32) -> f32 {
                    |s| {
                        // SAFETY: both have the dimension that the entry was resolved for.
                        unsafe { equal(a, b) };
                        cosine_from_norms(loops::pair::<_, 4>(Lanes::<_, Dot>::new(s), a, b), ia, ib)
                    }
                }
                pub(super) fn row[](x: &[f32]) -> f32 {
                    |s| loops::norm_sq::<_, 4>(Lanes::<_, Dot>::new(s), x)
                }
                pub(super) fn scan<M: Step>(q: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
                    |s| if M::Rows::SUMS == 1 {
                        loops::scan_blocked::<_, $blocked>(Lanes::<_, M::Rows>::new(s), q, rows, out);
                    } else {
                        loops::scan_blocked::<_, $two_sums>(Lanes::<_, M::Rows>::new(s), q, rows, out);
                    }
                }
                pub(super) fn stream<M: Step>(q: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
                    |s| loops::scan_streaming(Lanes::<_, M::Rows>::new(s), q, rows, out)
                }
                pub(super) fn scan_norms[](
                    q: &[f32], iq: f32, rows: RowsRef<'_, f32>, inv: &[f32], out: &mut [f32]
                ) {
                    |s| {
                        loops::scan_blocked::<_, $blocked>(Lanes::<_, Dot>::new(s), q, rows, out);
                        loops::norms_to_cosine(out, iq, inv);
                    }
                }
                pub(super) fn stream_norms[](
                    q: &[f32], iq: f32, rows: RowsRef<'_, f32>, inv: &[f32], out: &mut [f32]
                ) {
                    |s| {
                        loops::scan_streaming(Lanes::<_, Dot>::new(s), q, rows, out);
                        loops::norms_to_cosine(out, iq, inv);
                    }
                }
                pub(super) fn gather<M: Step>(
                    q: &[f32], rows: RowsRef<'_, f32>, ids: &[u32], out: &mut [f32]
                ) {
                    |s| if M::Rows::SUMS == 1 {
                        loops::gather::<_, $blocked, false>(Lanes::<_, M::Rows>::new(s), q, rows, ids, out);
                    } else {
                        loops::gather::<_, $two_sums, false>(Lanes::<_, M::Rows>::new(s), q, rows, ids, out);
                    }
                }
                pub(super) fn gather_pf4<M: Step>(
                    q: &[f32], rows: RowsRef<'_, f32>, ids: &[u32], out: &mut [f32]
                ) {
                    |s| if M::Rows::SUMS == 1 {
                        loops::gather::<_, $blocked, true>(Lanes::<_, M::Rows>::new(s), q, rows, ids, out);
                    } else {
                        loops::gather::<_, $two_sums, true>(Lanes::<_, M::Rows>::new(s), q, rows, ids, out);
                    }
                }
                pub(super) fn gather_norms[](
                    q: &[f32], iq: f32, rows: RowsRef<'_, f32>, inv: &[f32], ids: &[u32],
                    out: &mut [f32]
                ) {
                    |s| {
                        loops::gather::<_, $blocked, false>(Lanes::<_, Dot>::new(s), q, rows, ids, out);
                        loops::norms_to_cosine_ids(out, iq, inv, ids);
                    }
                }
                pub(super) fn gather_norms_pf4[](
                    q: &[f32], iq: f32, rows: RowsRef<'_, f32>, inv: &[f32], ids: &[u32],
                    out: &mut [f32]
                ) {
                    |s| {
                        loops::gather::<_, $blocked, true>(Lanes::<_, Dot>::new(s), q, rows, ids, out);
                        loops::norms_to_cosine_ids(out, iq, inv, ids);
                    }
                }
            }

            /// Elements of a register.
            const LANES: usize = <$token as Simd>::LANES;

            /// Tells the compiler that two vectors are of one length.
            ///
            /// # Safety
            /// They are.
            #[inline(always)]
            unsafe fn equal(a: &[f32], b: &[f32]) {
                // SAFETY: the caller's promise.
                unsafe { core::hint::assert_unchecked(a.len() == b.len()) }
            }

            #[allow(dead_code, reason = "levels without straight-line forms")]
            /// Tells the compiler that two vectors have `dim` elements.
            ///
            /// # Safety
            /// They have.
            #[inline(always)]
            unsafe fn sized(a: &[f32], b: &[f32], dim: usize) {
                // SAFETY: the caller's promise.
                unsafe { core::hint::assert_unchecked(a.len() == dim && b.len() == dim) }
            }

            #[allow(dead_code, reason = "levels without straight-line forms")]
            /// Tells the compiler how many whole registers two vectors have.
            ///
            /// # Safety
            /// They have.
            #[inline(always)]
            unsafe fn whole(a: &[f32], b: &[f32], registers: usize) {
                // SAFETY: the caller's promise.
                unsafe { equal(a, b) };
                // SAFETY: the caller's promise.
                unsafe { core::hint::assert_unchecked(a.len() / LANES == registers) }
            }

            #[allow(dead_code, reason = "levels without straight-line forms")]
            /// # Safety
            /// As the other entries.
            #[$features]
            unsafe fn fixed<M: Step, const V: usize, const TAIL: bool>(a: &[f32], b: &[f32]) -> f32 {
                // SAFETY: this function enables the token's level.
                let s = unsafe { <$token>::assume() };
                // SAFETY: the form was chosen by this quotient of the dimension.
                unsafe { whole(a, b, V) };
                loops::pair_fixed::<_, V, TAIL>(Lanes::<_, M>::new(s), a, b)
            }

            #[allow(dead_code, reason = "levels without straight-line forms")]
            /// # Safety
            /// As the other entries.
            #[$features]
            unsafe fn fixed_norms<const V: usize, const TAIL: bool>(
                a: &[f32], b: &[f32], ia: f32, ib: f32
            ) -> f32 {
                // SAFETY: this function enables the token's level.
                let s = unsafe { <$token>::assume() };
                // SAFETY: the form was chosen by this quotient of the dimension.
                unsafe { whole(a, b, V) };
                cosine_from_norms(loops::pair_fixed::<_, V, TAIL>(Lanes::<_, Dot>::new(s), a, b), ia, ib)
            }

            #[allow(dead_code, reason = "levels without straight-line forms")]
            /// # Safety
            /// As the other entries.
            #[$features]
            unsafe fn constant<M: Step, const DIM: usize>(a: &[f32], b: &[f32]) -> f32 {
                // SAFETY: this function enables the token's level.
                let s = unsafe { <$token>::assume() };
                // SAFETY: the form was chosen by the dimension.
                unsafe { sized(a, b, DIM) };
                loops::pair_const::<_, DIM>(Lanes::<_, M>::new(s), a, b)
            }

            #[allow(dead_code, reason = "levels without straight-line forms")]
            /// # Safety
            /// As the other entries.
            #[$features]
            unsafe fn constant_norms<const DIM: usize>(a: &[f32], b: &[f32], ia: f32, ib: f32) -> f32 {
                // SAFETY: this function enables the token's level.
                let s = unsafe { <$token>::assume() };
                // SAFETY: the form was chosen by the dimension.
                unsafe { sized(a, b, DIM) };
                cosine_from_norms(loops::pair_const::<_, DIM>(Lanes::<_, Dot>::new(s), a, b), ia, ib)
            }

            /// The straight-line form for a dimension, up to the largest there is.
            pub(super) fn pair_fixed<M: Step>(
                dim: usize,
            ) -> Option<unsafe fn(&[f32], &[f32]) -> f32> {
                match dim {
                    0 => return None,
                    $($d => return Some(constant::<M, $d>),)*
                    _ => {}
                }
                match (dim / LANES, dim % LANES != 0) {
                    $(($v, false) => Some(fixed::<M, $v, false>),
                      ($v, true) => Some(fixed::<M, $v, true>),)*
                    _ => None,
                }
            }

            /// As `pair_fixed`, with cached norms.
            pub(super) fn pair_norms_fixed(
                dim: usize,
            ) -> Option<unsafe fn(&[f32], &[f32], f32, f32) -> f32> {
                match dim {
                    0 => return None,
                    $($d => return Some(constant_norms::<$d>),)*
                    _ => {}
                }
                match (dim / LANES, dim % LANES != 0) {
                    $(($v, false) => Some(fixed_norms::<$v, false>),
                      ($v, true) => Some(fixed_norms::<$v, true>),)*
                    _ => None,
                }
            }
        }

        isa_variants! { @rows $level, $technique, $name, $when, $absent;
            pair<M: Step>, F32<M, Pair<f32>>, "-x4", |_| Some(imp::pair::<M>);
            pair_fixed<M: Step>, F32<M, Pair<f32>>, "-fixed", imp::pair_fixed::<M>;
            scan<M: Step>, F32<M, Scan<f32>>, "-r4", |_| Some(imp::scan::<M>);
            stream<M: Step>, F32<M, Scan<f32>>, "-stream", |_| Some(imp::stream::<M>);
            gather<M: Step>, F32<M, Gather<f32>>, "-r4", |_| Some(imp::gather::<M>);
            gather_pf4<M: Step>, F32<M, Gather<f32>>, "-r4-pf4", |_| Some(imp::gather_pf4::<M>);
            row<>, F32<Dot, Row<f32>>, "-x4", |_| Some(imp::row);
            pair_norms<>, F32<Cosine, PairNorms<f32>>, "-x4", |_| Some(imp::pair_norms);
            pair_norms_fixed<>, F32<Cosine, PairNorms<f32>>, "-fixed", imp::pair_norms_fixed;
            scan_norms<>, F32<Cosine, ScanNorms<f32>>, "-r4", |_| Some(imp::scan_norms);
            stream_norms<>, F32<Cosine, ScanNorms<f32>>, "-stream", |_| Some(imp::stream_norms);
            gather_norms<>, F32<Cosine, GatherNorms<f32>>, "-r4", |_| Some(imp::gather_norms);
            gather_norms_pf4<>, F32<Cosine, GatherNorms<f32>>, "-r4-pf4",
                |_| Some(imp::gather_norms_pf4);
        }
    };

    (@entries $features:meta, $token:ty; $(
        $vis:vis fn $fn:ident $(<$m:ident: $bound:ident>)? $([])? ($($arg:ident: $ty:ty),* $(,)?)
        $(-> $ret:ty)? { |$s:ident| $body:expr }
    )*) => {$(
        /// # Safety
        /// The CPU has the level, and vectors and rows have the dimension that the entry was
        /// resolved for.
        #[$features]
        $vis unsafe fn $fn $(<$m: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: this function enables the token's level.
            let $s = unsafe { <$token>::assume() };
            $body
        }
    )*};

    (@rows $level:ident, $technique:ident, $name:literal, $when:meta, $absent:literal; $(
        $row:ident<$($m:ident: $bound:ident)?>, $op:ty, $suffix:literal, $resolve:expr;
    )*) => {$(
        #[allow(dead_code, reason = "a technique announces the rows that say something new")]
        pub(in crate::ops::f32) const fn $row<$($m: $bound)?>() -> Variant<$op> {
            const NAME: &str = concat!($name, $suffix);
            #[cfg($when)]
            {
                let resolve: fn(usize) -> Option<Entry<$op>> = $resolve;
                // SAFETY: the entries enable the features of the level, and are chosen by the
                // dimension that `new` promises them.
                unsafe { Variant::new(NAME, Level::$level, Technique::$technique, resolve) }
            }
            #[cfg(not($when))]
            Variant::absent(NAME, Level::$level, Technique::$technique, $absent)
        }
    )*};
}

/// A level by hand: [`with_level!`] gives what the level is, the caller what registers allow.
macro_rules! hand {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta } { $($rest:tt)* }) => {
        isa_variants! {
            level: $level, technique: Hand, name: $name, when: $when, absent: $absent,
            features: $features, $($rest)*
        }
    };
}
