//! Makes tables of causes: a stable code and one sentence for each reason why a sign-in fails.

/// Makes an enum of causes, each with its code and its sentence.
///
/// A code is stable: it stands in logs, in login traces and in the documents. A sentence
/// says to the administrator what happened.
///
/// ```
/// genkan_protocol::causes! {
///     /// Why nobody comes in.
///     pub enum Cause:
///     /// It rains.
///     Rain = "rain", "It rains.";
/// }
/// assert_eq!(Cause::all(), [Cause::Rain]);
/// assert_eq!((Cause::Rain.code(), Cause::Rain.sentence()), ("rain", "It rains."));
/// ```
#[macro_export]
macro_rules! causes {
    (
        $(#[$about:meta])* $visible:vis enum $table:ident:
        $($(#[$doc:meta])* $name:ident = $code:literal, $sentence:literal;)+
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $visible enum $table {
            $($(#[$doc])* $name,)+
        }

        impl $table {
            /// The stable code, as in `audience_mismatch`.
            $visible const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// What happened, in one sentence for people.
            $visible const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)+
                }
            }

            /// Every cause, in the order of the checks.
            $visible const fn all() -> &'static [Self] {
                &[$(Self::$name,)+]
            }
        }
    };
}
