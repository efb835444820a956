//! How often somebody may try to sign in.
//!
//! Question: why three counts? By name and address together a guesser at one machine is stopped early, and nobody can lock
//! a colleague out from elsewhere by guessing badly; by address alone one machine cannot go through all names; by name
//! alone, with a wider limit, many machines cannot go through all passwords.
//!
//! Who signs in at an identity provider gives no name here: by address alone. Where a proxy says no address, by name
//! alone: one count for all who come without an address would let a guesser lock everybody out.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustc_hash::FxHashMap;
use unicode_normalization::UnicodeNormalization;

/// Tries are counted for so long.
const WINDOW: Duration = Duration::from_mins(5);
/// Tries of one name from one address.
const OF_BOTH: u32 = 5;
/// Tries from one address.
const OF_ADDRESS: u32 = 30;
/// Tries of one name from everywhere.
const OF_NAME: u32 = 60;
/// Counts that are kept: beyond, what is oldest is forgotten.
const MOST: usize = 20_000;

/// Too many tries: come again after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// When.
    pub after: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Both(String, IpAddr),
    Address(IpAddr),
    Name(String),
}

/// Tries to sign in that failed lately.
#[derive(Debug, Default)]
pub struct Throttle {
    counts: Mutex<FxHashMap<Key, (Instant, u32)>>,
}

impl Throttle {
    /// Counts a try before it is made, by a name, from an address, or both.
    ///
    /// # Errors
    /// [`TooMany`] where it may not be made.
    pub fn admit(&self, name: Option<&str>, address: Option<IpAddr>, now: Instant) -> Result<(), TooMany> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST {
            make_room(&mut counts, now);
        }
        for (key, most) in keys_of(name, address) {
            let Some((begun, count)) = counts.get(&key) else { continue };
            let age = now.duration_since(*begun);
            if age < WINDOW && *count >= most {
                return Err(TooMany { after: WINDOW.saturating_sub(age) });
            }
        }
        for (key, _) in keys_of(name, address) {
            let kept = counts.entry(key).or_insert((now, 0));
            if now.duration_since(kept.0) >= WINDOW {
                *kept = (now, 0);
            }
            kept.1 += 1;
        }
        Ok(())
    }

    /// Forgets the tries of somebody who has signed in, from where they have.
    pub fn forgive(&self, name: Option<&str>, address: Option<IpAddr>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in keys_of(name, address) {
            if matches!(key, Key::Both(..)) {
                counts.remove(&key);
            } else if let Some((_, count)) = counts.get_mut(&key) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

/// Forgets what is over, and under a flood a quarter of the rest: those with the fewest tries first, the oldest of them
/// first. Who floods with names and addresses made up neither locks others out nor has their own tries forgotten soon.
fn make_room(counts: &mut FxHashMap<Key, (Instant, u32)>, now: Instant) {
    counts.retain(|_, (begun, _)| now.duration_since(*begun) < WINDOW);
    if counts.len() < MOST {
        return;
    }
    let mut order: Vec<(u32, Instant, Key)> =
        counts.iter().map(|(key, (begun, count))| (*count, *begun, key.clone())).collect();
    order.sort_unstable_by_key(|(count, begun, _)| (*count, *begun));
    for (_, _, key) in order.into_iter().take(MOST / 4) {
        counts.remove(&key);
    }
}

/// The counts of a try.
fn keys_of(name: Option<&str>, address: Option<IpAddr>) -> impl Iterator<Item = (Key, u32)> {
    // Long names must not fill the memory; nobody has one.
    // A name in another composition is the same person's, and the same count's.
    let name = name.map(|name| name.nfc().take(64).flat_map(char::to_lowercase).collect::<String>());
    let address = address.map(network_of);
    let both = name.clone().zip(address).map(|(name, address)| (Key::Both(name, address), OF_BOTH));
    let address = address.map(|address| (Key::Address(address), OF_ADDRESS));
    [both, address, name.map(|name| (Key::Name(name), OF_NAME))].into_iter().flatten()
}

/// One who has an IPv6 address has 2^64 of them.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as the throttle takes it")]
    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_guesser_is_stopped_and_the_person_elsewhere_is_not() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for _ in 0..OF_BOTH {
            throttle.admit(Some("Li"), address("10.0.0.9"), start).unwrap();
        }
        let refused = throttle.admit(Some("li"), address("10.0.0.9"), start + Duration::from_mins(1)).unwrap_err();
        assert_eq!(refused.after, Duration::from_mins(4));
        throttle.admit(Some("li"), address("10.0.0.1"), start).unwrap();
        throttle.admit(Some("wang"), address("10.0.0.9"), start).unwrap();
        throttle.admit(Some("li"), address("10.0.0.9"), start + WINDOW).unwrap();
    }

    #[test]
    fn one_address_cannot_go_through_all_names_nor_all_addresses_through_one_name() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let let_in =
            (0..100).filter(|n| throttle.admit(Some(&format!("n{n}")), address("2001:db8::1"), now).is_ok()).count();
        assert_eq!(let_in, OF_ADDRESS as usize);
        throttle.admit(Some("other"), address("2001:db8::2"), now).unwrap_err();
        let let_in =
            (0..200).filter(|n| throttle.admit(Some("chen"), address(&format!("10.1.0.{n}")), now).is_ok()).count();
        assert_eq!(let_in, OF_NAME as usize);
    }

    #[test]
    fn who_signs_in_begins_anew() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..10 {
            for _ in 0..OF_BOTH - 1 {
                throttle.admit(Some("li"), address("10.0.0.9"), now).unwrap();
            }
            throttle.forgive(Some("li"), address("10.0.0.9"));
            if throttle.counts.lock().unwrap().values().any(|(_, count)| *count >= OF_ADDRESS - OF_BOTH) {
                return;
            }
        }
        panic!("the tries of the address are forgotten with the name's");
    }

    #[test]
    fn a_name_has_one_count_however_it_is_composed() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        // All of these are the name of one person: LI with an accent, composed or not; 李 and its compatibility ideograph.
        for names in [["l\u{ed}", "li\u{301}"], ["\u{674e}", "\u{f9e1}"]] {
            let tries = names.iter().cycle().take(8);
            let let_in = tries.filter(|name| throttle.admit(Some(name), address("10.0.0.9"), now).is_ok()).count();
            assert_eq!(let_in, OF_BOTH as usize, "{names:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..OF_BOTH {
            throttle.admit(Some("li"), address("10.0.0.1"), now).unwrap();
        }
        for n in 0..MOST as u32 {
            throttle.admit(Some(&format!("n{n}")), Some(IpAddr::from(n.to_be_bytes())), now).unwrap();
        }
        assert!(throttle.counts.lock().unwrap().len() <= MOST + 2);
        throttle.admit(Some("li"), address("10.0.0.1"), now).unwrap_err();
        throttle.admit(Some("wang"), address("10.0.0.2"), now).unwrap();
        throttle.admit(Some("later"), address("10.0.0.1"), now + WINDOW).unwrap();
    }

    #[test]
    fn without_an_address_each_name_is_counted_by_itself() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let let_in = (0..100).filter(|_| throttle.admit(Some("li"), None, now).is_ok()).count();
        assert_eq!(let_in, OF_NAME as usize);
        for n in 0..100 {
            throttle.admit(Some(&format!("n{n}")), None, now).unwrap();
        }
    }

    #[test]
    fn who_signs_in_elsewhere_is_counted_by_address() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let let_in = (0..100).filter(|_| throttle.admit(None, address("10.0.0.9"), now).is_ok()).count();
        assert_eq!(let_in, OF_ADDRESS as usize);
        throttle.admit(None, address("10.0.0.8"), now).unwrap();
    }
}
