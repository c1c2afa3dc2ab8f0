//! The laws of the port on real servers: one and an ensemble of three, open and with a digest.

mod common;

use clockwright_testkit::zookeeper::{shared_ensemble, shared_server};
use common::Real;

/// The suite on servers, with a digest or without, and perhaps as it is on ZooKeeper 3.4 and 3.5: without multi-reads and recursive
/// watches.
macro_rules! on {
    ($($module:ident: $address:expr, $digest:expr, basic: $basic:literal;)*) => {
        $(mod $module {
            use super::*;
            clockwright_testkit::registry_suite!(Real::on($address, $digest, $basic));
        })*
    };
}

const DIGEST: Option<&str> = Some("tester:secret");

on! {
    one_server: shared_server().address(), None, basic: false;
    one_server_with_digest: shared_server().address(), DIGEST, basic: false;
    three_servers: shared_ensemble().addresses(), None, basic: false;
    three_servers_with_digest: shared_ensemble().addresses(), DIGEST, basic: false;
    one_server_by_basic_requests: shared_server().address(), None, basic: true;
    three_servers_by_basic_requests: shared_ensemble().addresses(), None, basic: true;
}
