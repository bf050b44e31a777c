//! The values of options that offer a choice, and their help.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::ablations::{Sends, StoreConnection};
use crate::net::listener::Sharing;
use crate::observe::access_log::Format;
use crate::sandbox::Sandbox;

macro_rules! choices {
    ($choice:ident: $($variant:ident $word:literal $help:literal),+ $(,)?) => {
        impl ValueEnum for $choice {
            fn value_variants<'a>() -> &'a [$choice] {
                &[$($choice::$variant),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $($choice::$variant => PossibleValue::new($word).help($help),)+
                })
            }
        }
    };
}

choices!(Sharing:
    Reuseport "reuseport"
        "One socket per process; the kernel distributes clients by a hash of addresses and ports",
    Shared "shared" "One socket; every waiting process is woken, and the fastest gets the client",
    Exclusive "exclusive" "One socket; one waiting process is woken, mostly the same one",
);

choices!(Format:
    Off "off" "No log",
    Common "common"
        "The common log format of NCSA httpd: host, date, request line, status, bytes",
    Json "json" "One JSON object per line",
);

choices!(Sandbox:
    Auto "auto" "As far as the kernel supports it",
    Always "always" "As far as the kernel supports it; refuse to start where it has no Landlock",
    Off "off" "No sandbox",
);

choices!(Sends:
    One "one" "One call, if the kernel takes all of it",
    Many "many" "One call for each line of the head, and one for the body",
);

choices!(StoreConnection:
    Reused "reused" "Connections are reused",
    PerRequest "per-request" "Each connection is closed after its reply",
);

#[cfg(test)]
mod tests {
    use super::*;

    /// The supervisor passes the name to the store's process.
    #[test]
    fn a_sandbox_is_named_as_it_is_typed() {
        for sandbox in Sandbox::value_variants() {
            assert_eq!(Sandbox::from_str(sandbox.name(), false).as_ref(), Ok(sandbox));
        }
    }
}
