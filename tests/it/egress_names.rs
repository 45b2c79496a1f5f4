//! Names: each family by itself, and the system's name servers as they are now.

use std::net::{IpAddr, SocketAddr};

use sendbox::egress::{EgressConfig, EgressError};
use sendbox::source::Family;
use sendbox_tests::canary::{in_namespace, mount};
use sendbox_tests::dns::{DnsServer, Reply as Dns};
use sendbox_tests::peer::{Peer, Reply};

use crate::egress_kit::{HOST, Send, at, config_for, get, live};

const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
const PRIVATE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3));
const PRIVATE_V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));

/// Loopback in both families may be dialled, and the name is looked up.
fn config(peer: &Peer, dns: &DnsServer) -> EgressConfig {
    let mut config = config_for(peer);
    config.allow_addresses.push("::1".parse().unwrap());
    config.hosts.clear();
    config.name_servers = vec![dns.address];
    config
}

fn from(source: Option<IpAddr>) -> Send {
    Send {
        source,
        ..Send::default()
    }
}

#[tokio::test]
async fn what_one_family_answers_counts_though_the_others_answer_is_lost() {
    for address in [V4, V6] {
        let peer = Peer::start_at(SocketAddr::new(address, 0), None, |_| Reply::ok("ok")).await;
        let dns = DnsServer::start(move |_, _| Dns::OneFamily(vec![address])).await;
        let (response, exchange) = from(None)
            .once(&live(&config(&peer, &dns)), get(at(&peer, "/")))
            .await;
        assert_eq!(response.unwrap().status, 200, "{address}");
        assert_eq!(exchange.peer, Some(peer.address));
    }
}

#[tokio::test]
async fn a_source_asks_for_its_own_family_and_is_judged_by_it() {
    for (own, other) in [(V4, PRIVATE_V6), (V6, PRIVATE)] {
        let peer = Peer::start_at(SocketAddr::new(own, 0), None, |_| Reply::ok("ok")).await;
        let dns = DnsServer::start(move |_, _| Dns::Addresses(vec![own, other])).await;
        let egress = live(&config(&peer, &dns));
        let (response, exchange) = from(Some(own)).once(&egress, get(at(&peer, "/"))).await;
        assert_eq!(response.unwrap().status, 200, "{own}");
        assert_eq!(exchange.peer, Some(peer.address));
        let asked = [dns.queries().len(), dns.queries_v6().len()];
        assert_eq!(
            asked,
            [usize::from(own.is_ipv4()), usize::from(own.is_ipv6())]
        );
        // Without a source both may be dialled, so both are judged.
        let fresh = live(&config(&peer, &dns));
        let (response, _) = from(None).once(&fresh, get(at(&peer, "/"))).await;
        assert!(
            matches!(response, Err(EgressError::Denied { .. })),
            "{own}: {response:?}"
        );
    }
}

#[tokio::test]
async fn a_name_without_an_address_of_the_sources_family_is_told_from_one_that_is_unknown() {
    let peer = Peer::start(|_| Reply::ok("ok")).await;
    let dns = DnsServer::start(|_, _| Dns::Addresses(vec![V6])).await;
    let egress = live(&config(&peer, &dns));
    let (response, _) = from(Some(V4)).once(&egress, get(at(&peer, "/"))).await;
    assert_eq!(response, Err(EgressError::Family(Family::Ipv4)));
    for reply in [Dns::Addresses(Vec::new()), Dns::Failure] {
        let dns = DnsServer::start(move |_, _| reply.clone()).await;
        let (response, _) = from(None)
            .once(&live(&config(&peer, &dns)), get(at(&peer, "/")))
            .await;
        assert_eq!(response, Err(EgressError::Dns));
    }
}

#[test]
fn the_systems_name_servers_are_followed() {
    in_namespace(|| async {
        let file = tempfile::NamedTempFile::new().unwrap();
        let names = |text: &str| std::fs::write(file.path(), text).unwrap();
        names("# none yet\n");
        mount(&["--bind", file.path().to_str().unwrap(), "/etc/resolv.conf"]);
        let peer = Peer::start(|_| Reply::ok("ok")).await;
        let mut servers = Vec::new();
        for last in [1, 2] {
            let address = SocketAddr::from(([127, 0, 53, last], 53));
            let reply = |_: &str, _| Dns::Addresses(vec![V4]);
            servers.push(DnsServer::start_at(address, reply).await);
        }
        let mut config = config(&peer, &servers[0]);
        config.name_servers.clear();
        // Each request looks its name up.
        config.idle_connections = 0;
        let egress = live(&config);
        let call = async || from(None).once(&egress, get(at(&peer, "/"))).await.0;
        assert_eq!(call().await, Err(EgressError::Dns));
        for (server, asked) in [(1, [1, 0]), (2, [1, 1])] {
            names(&format!("nameserver 127.0.53.{server}\n"));
            assert_eq!(call().await.unwrap().status, 200, "server {server}");
            assert_eq!([0, 1].map(|at| servers[at].queries().len()), asked);
        }
        // A network that is down for a moment names none: the last ones may still answer.
        names("");
        assert_eq!(call().await.unwrap().status, 200);
        assert_eq!(servers[1].queries(), [HOST, HOST]);
    });
}
