//! The addresses of granted names for a guest.

use std::net::Ipv4Addr;

use parking_lot::Mutex;

/// Names that one call may look up. A wildcard needs few of them, and more could
/// carry data out in the form of names.
const MOST: usize = 64;

/// The first address that is given out.
const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 1]);

/// Names in the order in which they were first looked up.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Vec<String>>);

impl Names {
    /// The address of a granted name; `None` when there are too many.
    pub(super) fn address(&self, name: &str) -> Option<Ipv4Addr> {
        let mut names = self.0.lock();
        let index = names.iter().position(|known| known == name).or_else(|| {
            (names.len() < MOST).then(|| {
                names.push(name.to_owned());
                names.len() - 1
            })
        })?;
        Some(Ipv4Addr::from(FIRST + u32::try_from(index).ok()?))
    }

    /// The name that has an address.
    pub(super) fn name(&self, address: Ipv4Addr) -> Option<String> {
        let index = u32::from(address).checked_sub(FIRST)?;
        let names = self.0.lock();
        names.get(usize::try_from(index).ok()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_address_and_an_address_its_name() {
        let names = Names::default();
        let a = names.address("a.example.com").unwrap();
        let b = names.address("b.example.com").unwrap();
        assert_ne!(a, b);
        assert_eq!(names.address("a.example.com"), Some(a));
        assert_eq!(names.name(b).as_deref(), Some("b.example.com"));
        for other in [
            [198, 18, 0, 0],
            [198, 18, 0, 3],
            [127, 0, 0, 1],
            [255, 255, 255, 255],
        ] {
            assert_eq!(names.name(other.into()), None);
        }
    }

    #[test]
    fn a_stream_of_names_ends() {
        let names = Names::default();
        let given = (0..1000).filter_map(|i| names.address(&format!("x{i}.example.com")));
        assert_eq!(given.count(), MOST);
        assert!(names.address("x0.example.com").is_some());
    }
}
