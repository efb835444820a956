//! Pseudo-random numbers and smooth noise for the generator: `SplitMix64`, so that no crate's version decides.
//!
//! Only `+ - * /` on doubles and integer arithmetic are used: the same bits come out on every machine.

/// `SplitMix64` (Steele, Lea and Flood 2014).
pub struct Random(u64);

impl Random {
    /// A stream of its own for each purpose, so that one layer's changes do not move another's.
    pub fn new(stream: u64) -> Self {
        Self(0x6d75_7475_4865_7368_u64 ^ mix(stream))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// In 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of `choices`, by weight.
    pub fn pick<T: Copy>(&mut self, choices: &[(T, f64)]) -> T {
        let total: f64 = choices.iter().map(|choice| choice.1).sum();
        let mut left = self.unit() * total;
        for (value, weight) in choices {
            left -= weight;
            if left < 0.0 {
                return *value;
            }
        }
        choices[choices.len() - 1].0
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i + 1);
            items.swap(i, j);
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn lattice(i: i64, j: i64, stream: u64) -> f64 {
    let h = mix(mix(i as u64 ^ stream.wrapping_mul(0x9e37_79b9)) ^ (j as u64).wrapping_mul(0xda94_2042_e4dd_58b5));
    (h >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
}

/// Smooth noise in [-1, 1] whose bumps are about `size` metres across.
pub fn noise(at: [f64; 2], size: f64, stream: u64) -> f64 {
    let scaled = at.map(|x| x / size);
    let [i, j] = scaled.map(|x| x.floor() as i64);
    let [east, north] = scaled.map(|x| {
        let part = x - x.floor();
        part * part * (3.0 - 2.0 * part)
    });
    let low = lattice(i, j, stream) * (1.0 - east) + lattice(i + 1, j, stream) * east;
    let high = lattice(i, j + 1, stream) * (1.0 - east) + lattice(i + 1, j + 1, stream) * east;
    low * (1.0 - north) + high * north
}
