//! What happens between clients and servers: nginx sends requests again that were carried out, and answers break off.

use super::database::{be_quick, be_slow};
use super::load::{Load, judge};
use clockwright_e2e::harness::{Plane, Setup, now, pass_time};

#[test]
#[ignore = "part of make test-faults"]
fn requests_that_nginx_sends_to_both_servers_and_answers_that_break_off_change_things_once() {
    // What is not handed out so, and what many a proxy does.
    let twice = [
        ("proxy_next_upstream error timeout;", "proxy_next_upstream error timeout non_idempotent http_502;"),
        ("proxy_read_timeout 60s;", "proxy_read_timeout 1s;"),
    ];
    let plane = Plane::start(&Setup { registries: 1, nginx: &twice, ..Setup::default() });
    let _leads = plane.leader();
    let load = Load::start(&plane, false);
    load.goes_on();
    // Longer than this nginx waits.
    be_slow(&plane, 1.3);
    load.goes_on();
    be_quick(&plane);
    for round in 0..10 {
        let link = &plane.desks[round % 2].link;
        link.cut();
        pass_time(now() + 150);
        link.mend();
        pass_time(now() + 450);
    }
    load.goes_on();
    let deeds = load.stop(&plane);
    judge(&plane, &deeds);
}
