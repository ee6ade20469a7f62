//! The rows of techniques that ask for no level: plain Rust, or code that dispatches inside.

/// Makes the `const fn`s that return the rows. A row's expression is the entry for every dimension,
/// or why there is none for the metric; where `when` is false every row says `absent`.
macro_rules! plain_rows {
    (
        technique: $technique:ident, name: $name:literal,
        when: $when:meta, absent: $absent:literal;
        $($row:ident<$($m:ident)?>, $op:ty, $resolve:expr;)*
    ) => {$(
        pub(in crate::ops::f32) const fn $row<$($m: Step)?>() -> Variant<$op> {
            #[cfg($when)]
            {
                let resolve: Result<fn(usize) -> Option<crate::kernel::Entry<$op>>, &'static str> =
                    $resolve;
                match resolve {
                    // SAFETY: plain Rust runs on every CPU of the build's target, and code that
                    // dispatches inside detects the level before it uses it.
                    Ok(resolve) => unsafe {
                        Variant::new($name, Level::Scalar, Technique::$technique, resolve)
                    },
                    Err(why) => Variant::absent($name, Level::Scalar, Technique::$technique, why),
                }
            }
            #[cfg(not($when))]
            Variant::absent($name, Level::Scalar, Technique::$technique, $absent)
        }
    )*};
}
