//! How often somebody may try to sign in.
//!
//! Question: why three counts? By name and address together a guesser at one machine is stopped early, and nobody can lock
//! a colleague out from elsewhere by guessing badly; by address alone one machine cannot go through all names; by name
//! alone, with a wider limit, many machines cannot go through all passwords.

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
    Both(String, Option<IpAddr>),
    Address(Option<IpAddr>),
    Name(String),
}

/// Tries to sign in that failed lately.
#[derive(Debug, Default)]
pub struct Throttle {
    counts: Mutex<FxHashMap<Key, (Instant, u32)>>,
}

impl Throttle {
    /// Counts a try before it is made.
    ///
    /// # Errors
    /// [`TooMany`] where it may not be made.
    pub fn admit(&self, name: &str, address: Option<IpAddr>, now: Instant) -> Result<(), TooMany> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST {
            counts.retain(|_, (begun, _)| now.duration_since(*begun) < WINDOW);
            if counts.len() >= MOST {
                // Under a flood from everywhere nobody is let in who was not already counted.
                return Err(TooMany { after: WINDOW });
            }
        }
        let keys = keys_of(name, address);
        for (key, most) in &keys {
            let Some((begun, count)) = counts.get(key) else { continue };
            let age = now.duration_since(*begun);
            if age < WINDOW && count >= most {
                return Err(TooMany { after: WINDOW.saturating_sub(age) });
            }
        }
        for (key, _) in keys {
            let kept = counts.entry(key).or_insert((now, 0));
            if now.duration_since(kept.0) >= WINDOW {
                *kept = (now, 0);
            }
            kept.1 += 1;
        }
        Ok(())
    }

    /// Forgets the tries of somebody who has signed in, from where they have.
    pub fn forgive(&self, name: &str, address: Option<IpAddr>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, (key, _)) in keys_of(name, address).into_iter().enumerate() {
            if number == 0 {
                counts.remove(&key);
            } else if let Some((_, count)) = counts.get_mut(&key) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

fn keys_of(name: &str, address: Option<IpAddr>) -> [(Key, u32); 3] {
    // Long names must not fill the memory; nobody has one.
    // A name in another composition is the same person's, and the same count's.
    let name: String = name.nfc().take(64).flat_map(char::to_lowercase).collect();
    let address = address.map(network_of);
    [(Key::Both(name.clone(), address), OF_BOTH), (Key::Address(address), OF_ADDRESS), (Key::Name(name), OF_NAME)]
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
            throttle.admit("Li", address("10.0.0.9"), start).unwrap();
        }
        let refused = throttle.admit("li", address("10.0.0.9"), start + Duration::from_mins(1)).unwrap_err();
        assert_eq!(refused.after, Duration::from_mins(4));
        throttle.admit("li", address("10.0.0.1"), start).unwrap();
        throttle.admit("wang", address("10.0.0.9"), start).unwrap();
        throttle.admit("li", address("10.0.0.9"), start + WINDOW).unwrap();
    }

    #[test]
    fn one_address_cannot_go_through_all_names_nor_all_addresses_through_one_name() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let let_in = (0..100).filter(|n| throttle.admit(&format!("n{n}"), address("2001:db8::1"), now).is_ok()).count();
        assert_eq!(let_in, OF_ADDRESS as usize);
        throttle.admit("other", address("2001:db8::2"), now).unwrap_err();
        let let_in = (0..200).filter(|n| throttle.admit("chen", address(&format!("10.1.0.{n}")), now).is_ok()).count();
        assert_eq!(let_in, OF_NAME as usize);
    }

    #[test]
    fn who_signs_in_begins_anew() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..10 {
            for _ in 0..OF_BOTH - 1 {
                throttle.admit("li", address("10.0.0.9"), now).unwrap();
            }
            throttle.forgive("li", address("10.0.0.9"));
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
            let let_in = tries.filter(|name| throttle.admit(name, address("10.0.0.9"), now).is_ok()).count();
            assert_eq!(let_in, OF_BOTH as usize, "{names:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..MOST as u32 {
            let _ = throttle.admit(&format!("n{n}"), Some(IpAddr::from(n.to_be_bytes())), now);
        }
        assert!(throttle.counts.lock().unwrap().len() <= MOST + 2);
        throttle.admit("later", address("10.0.0.1"), now + WINDOW).unwrap();
    }
}
