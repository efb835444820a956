//! Where requests come from, where a proxy stands in front.
//!
//! Anybody can write `X-Forwarded-For`; a proxy adds the address that it sees at the end. So the last address is believed,
//! and only of a connection that comes from the proxy: from this machine, or from an address that the operator names.
//! What a client writes in front of it counts for nothing, and who goes round the proxy counts as themselves.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Once,
};

use axum::http::HeaderMap;

use crate::config::ServerConfig;

/// The proxies in front.
#[derive(Debug)]
pub(super) struct Proxies {
    is_used: bool,
    named: Vec<IpAddr>,
    told_of_absence: Once,
    told_of_others: Once,
}

impl Proxies {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let (is_used, named) = (config.behind_proxy, config.proxies.clone());
        Self { is_used, named, told_of_absence: Once::new(), told_of_others: Once::new() }
    }

    /// The address a request comes from; `None` where that is not known.
    pub(super) fn address_of(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.is_used {
            return peer;
        }
        // Without a connection it is a call within this process.
        if let Some(other) = peer.filter(|peer| !self.is_proxy(*peer)) {
            self.told_of_others.call_once(|| {
                tracing::warn!(
                    from = %other,
                    "a request came from elsewhere than the proxy, and its X-Forwarded-For is not believed: name the \
                     proxy's address with --proxy"
                );
            });
            return Some(other);
        }
        let last = last_hop(headers);
        if last.is_none() {
            self.told_of_absence.call_once(|| {
                tracing::warn!(
                    "the proxy says no address in X-Forwarded-For: tries to sign in are counted by name alone, and the \
                     record names no addresses; let the proxy append the address that it sees"
                );
            });
        }
        last
    }

    fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.named.iter().any(|named| named.to_canonical() == peer)
    }

    /// Under which address tries to sign in are counted; `None` where only the name can be counted.
    pub(super) fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        // A call within this process is one caller.
        address.or((!self.is_used).then_some(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)))
    }
}

/// The last address of the last header, with or without a port.
fn last_hop(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.as_bytes();
    // What a client wrote before may be no text.
    let last = std::str::from_utf8(last.rsplit(|byte| *byte == b',').next()?).ok()?.trim();
    let bare = last.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(last);
    bare.parse().ok().or_else(|| last.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(named: &[&str]) -> Proxies {
        let mut config = ServerConfig::new("a.gpkg".into(), "0.0.0.0:8080".parse().unwrap());
        config.behind_proxy = true;
        config.proxies = named.iter().map(|text| text.parse().unwrap()).collect();
        Proxies::new(&config)
    }

    #[test]
    fn what_a_client_wrote_before_the_last_hop_may_be_no_text() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", axum::http::HeaderValue::from_bytes(b"\xff, 192.0.2.7").unwrap());
        assert_eq!(last_hop(&headers), Some("192.0.2.7".parse().unwrap()));
    }

    fn address(proxies: &Proxies, peer: &str, hops: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for hop in hops {
            headers.append("x-forwarded-for", hop.parse().unwrap());
        }
        proxies.address_of(Some(peer.parse().unwrap()), &headers).map(|address| address.to_string())
    }

    #[test]
    fn the_last_hop_counts_and_only_of_the_proxy() {
        let proxies = proxies(&["172.17.0.1"]);
        let of = |peer: &str, hops: &[&str]| address(&proxies, peer, hops);
        for (hops, wanted) in [
            (&["192.0.2.7"][..], Some("192.0.2.7")),
            (&["10.0.0.1, 10.0.0.2 ,192.0.2.7"], Some("192.0.2.7")),
            (&["10.0.0.1", "192.0.2.7"], Some("192.0.2.7")),
            (&["192.0.2.7:4711"], Some("192.0.2.7")),
            (&["2001:db8::7"], Some("2001:db8::7")),
            (&["[2001:db8::7]"], Some("2001:db8::7")),
            (&["[2001:db8::7]:4711"], Some("2001:db8::7")),
            (&["10.0.0.1, unknown"], None),
            (&["10.0.0.1,"], None),
            (&["_hidden"], None),
            (&[""], None),
            (&[], None),
        ] {
            for proxy in ["127.0.0.1", "::1", "172.17.0.1", "::ffff:172.17.0.1"] {
                assert_eq!(of(proxy, hops).as_deref(), wanted, "{hops:?}");
            }
            assert_eq!(of("10.9.9.9", hops).as_deref(), Some("10.9.9.9"), "{hops:?}");
        }
    }

    #[test]
    fn a_header_is_not_read_where_there_is_no_proxy() {
        let mut config = ServerConfig::new("a.gpkg".into(), "0.0.0.0:8080".parse().unwrap());
        config.proxies = vec!["127.0.0.1".parse().unwrap()];
        assert_eq!(address(&Proxies::new(&config), "127.0.0.1", &["192.0.2.7"]).as_deref(), Some("127.0.0.1"));
    }
}
