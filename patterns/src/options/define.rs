//! The macros that turn the lists of options into a struct and a table; the builder's methods are written from the same
//! lists.

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

/// Hands the entries of all options to a macro: to `define_options!` below, and to the one that writes the builder
/// (`socket/builder.rs`).
macro_rules! each_option {
    ($with:ident) => {
        gather_options! {
            [
                queue_options
                call_options
                request_options
                publishing_options
                limit_options
                connection_options
                security_options
                transport_options
                $with
            ]
        }
    };
}

/// Collects the entries of the lists that are named, each of which is a macro in a file of its own, and hands all of
/// them to the macro that is named last, at once: a struct cannot be defined piece by piece.
macro_rules! gather_options {
    ([$with:ident] $($entries:tt)*) => {
        $with! { $($entries)* }
    };
    ([$list:ident $($more:ident)+] $($before:tt)*) => {
        $list! { [$($more)+] $($before)* }
    };
}

/// Reads entries of the form
///
/// ```text
/// /// What it does, in sentences that stand on their own.
/// name(argument: type of the method's argument = conversion) -> type of the field {
///     default: value,
///     none: "how an absent value is shown", if there may be none,
///     zmq: ("NAME", number, form), or () if libzmq has nothing like it; `Form` lists the forms,
///     unit: "unit or type",
///     allowed: "the range in words" if check,
///     stored: what a value becomes that has passed the check, if it does not stay as it is,
///     on: who has it, one of `Capability`,
///     changed: when a change takes effect, one of `Effect`,
/// }
/// ```
macro_rules! define_options {
    ($(
        $(#[doc = $doc:literal])+
        $(#[cfg($cfg:meta)])?
        $name:ident($argument:ident: $taken:ty = $converted:expr) -> $field:ty {
            default: $default:expr,
            $(none: $none:literal,)?
            zmq: ($($zmq_name:literal, $zmq_number:literal, $form:ident $(($absent:ident))?)?),
            unit: $unit:literal,
            allowed: $allowed:literal if $check:expr,
            $(stored: $stored:expr,)?
            on: $capability:ident,
            changed: $effect:ident,
        }
    )+) => {
        /// The values of all options of one socket. [`Builder`](crate::socket::Builder) makes it, and sockets, sessions and transports read
        /// it; [`get`](Options::get) and [`set`](Options::set) reach each option by its name or number.
        #[derive(Clone, Debug)]
        pub struct Options {
            /// Whose options they are. `None`: of no type in particular, which has all of them.
            pub(crate) socket_type: Option<SocketType>,
            $(
                $(#[doc = $doc])+
                $(#[cfg($cfg)])?
                pub(crate) $name: $field,
            )+
        }

        impl Default for Options {
            fn default() -> Self {
                Options {
                    socket_type: None,
                    $($(#[cfg($cfg)])? $name: $default,)+
                }
            }
        }

        impl Options {
            /// Returns whether a socket with the one is set up as one with the other.
            pub(crate) fn are_same(&self, other: &Self) -> bool {
                let mut are_same = self.socket_type == other.socket_type;
                $(
                    $(#[cfg($cfg)])?
                    {
                        are_same = are_same && self.$name.is_same(&other.$name);
                    }
                )+
                are_same
            }
        }

        /// Where each value is checked, whoever sets it.
        impl Options {
            $(
                $(#[cfg($cfg)])?
                pub(crate) fn $name(&mut self, value: $field) -> Result<(), OptionError> {
                    let check: fn(&$field) -> bool = $check;
                    if !check(&value) {
                        return Err(OptionError::Value {
                            option: stringify!($name),
                            value: value.show(concat!($($none)?)),
                            allowed: $allowed,
                        });
                    }
                    $(let value = ($stored)(value);)?
                    self.$name = value;
                    Ok(())
                }
            )+
        }

        /// Every option, in the order of the documentation.
        ///
        /// ```
        /// let row = purezmq::options::TABLE.iter().find(|row| row.zmq == Some(("ZMQ_SNDHWM", 23))).unwrap();
        /// assert_eq!((row.name, row.default().as_str()), ("send_hwm", "1000"));
        /// ```
        pub const TABLE: &[OptionRow] = &[$(
            $(#[cfg($cfg)])?
            OptionRow {
                name: stringify!($name),
                zmq: option!($((concat!("ZMQ_", $zmq_name), $zmq_number))?),
                kind: <$field as Typed>::KIND,
                unit: $unit,
                allowed: $allowed,
                capability: Capability::$capability,
                effect: Effect::$effect,
                meaning: concat!($($doc),+).trim_ascii_start(),
                form: option!($(Form::$form $((Absent::$absent))?)?),
                show: |options| options.$name.show(concat!($($none)?)),
                get: |options| options.$name.to_value(),
                set: |options, value| match <$field as Typed>::from_value(value) {
                    Ok(value) => options.$name(value),
                    Err(value) => Err(OptionError::Value {
                        option: stringify!($name),
                        value: value.described(<$field as Typed>::KIND),
                        allowed: $allowed,
                    }),
                },
            },
        )+];
    };
}

/// `Some` of an expression that may be missing.
macro_rules! option {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}
