//! The macro that turns the list of options into a struct, builder methods and a table.

/// When a change of an option takes effect, in words.
macro_rules! effect {
    (AtOnce) => {
        "at once"
    };
    (NewPeers) => {
        "for peers that come later"
    };
    (NewEndpoints) => {
        "for endpoints bound or connected later"
    };
}

/// Reads entries of the form
///
/// ```text
/// /// What it does, in sentences that stand on their own.
/// name(argument: type of the method's argument = conversion) -> type of the field {
///     default: value,
///     none: "how an absent value is shown",
///     zmq: ("NAME", number), or () if libzmq has nothing like it,
///     unit: "unit or type",
///     allowed: "the range in words" if check,
///     on: Capability ("socket types in words"),
///     changed: when a change takes effect, one of `Effect`,
/// }
/// ```
macro_rules! define_options {
    ($(
        $(#[doc = $doc:literal])+
        $(#[cfg($cfg:meta)])?
        $name:ident($argument:ident: $taken:ty = $converted:expr) -> $field:ty {
            default: $default:expr,
            none: $none:literal,
            zmq: ($($zmq_name:literal, $zmq_number:literal)?),
            unit: $unit:literal,
            allowed: $allowed:literal if $check:expr,
            on: $capability:ident ($sockets:literal),
            changed: $effect:ident,
        }
    )+) => {
        /// The values of all options of one socket. [`Builder`] makes it; applications see no
        /// inside of it.
        #[derive(Clone, Debug)]
        pub struct Options {
            $(
                $(#[doc = $doc])+
                $(#[cfg($cfg)])?
                pub(crate) $name: $field,
            )+
        }

        impl Default for Options {
            fn default() -> Self {
                Options { $($(#[cfg($cfg)])? $name: $default,)+ }
            }
        }

        $(
            $(#[cfg($cfg)])?
            impl<S: $capability> Builder<S> {
                $(#[doc = $doc])+
                #[doc = ""]
                #[doc = concat!(
                    "Allowed: ", $allowed, ". ",
                    $("In libzmq: `ZMQ_", $zmq_name, "` (", $zmq_number, "). ",)?
                    "A change takes effect ", effect!($effect), "."
                )]
                pub fn $name(self, $argument: $taken) -> Self {
                    let value: $field = $converted;
                    let check: fn(&$field) -> bool = $check;
                    if check(&value) {
                        self.with(|options| options.$name = value)
                    } else {
                        self.refuse(stringify!($name), value.show($none), $allowed)
                    }
                }
            }
        )+

        /// One row for each option, in the order of their definitions.
        // A list cannot leave out what the build has not.
        #[allow(clippy::vec_init_then_push)]
        fn rows() -> Vec<OptionRow> {
            let defaults = Options::default();
            let mut rows = Vec::new();
            $(
                $(#[cfg($cfg)])?
                rows.push(OptionRow {
                    name: stringify!($name),
                    zmq: [$((concat!("ZMQ_", $zmq_name), $zmq_number))?].into_iter().next(),
                    unit: $unit,
                    default: defaults.$name.show($none),
                    allowed: $allowed,
                    sockets: $sockets,
                    effect: Effect::$effect,
                    meaning: concat!($($doc),+).trim_start(),
                });
            )+
            rows
        }
    };
}
