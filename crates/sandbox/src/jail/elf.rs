//! The files that a program needs to run: its loader and its libraries.
//!
//! They are read from the file itself: to ask the loader, as `ldd` does, would run
//! an untrusted file in it. Only 64-bit little-endian ELF for this machine.
//!
//! Source: System V ABI, chapters 4 and 5.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The most entries of a table, bytes of a name, and libraries of a program.
const MOST_HEADERS: usize = 64;
const MOST_DYNAMIC_BYTES: u64 = 64 << 10;
const LONGEST_NAME: usize = 4096;
const MOST_LIBRARIES: usize = 256;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const MACHINE: u16 = 0;

/// What a program or library says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Elf {
    /// The loader; absent in static programs and in libraries.
    pub(super) interpreter: Option<String>,
    pub(super) needed: Vec<String>,
    /// Its own search path for libraries, separated by colons.
    pub(super) search: Option<String>,
}

struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

impl Elf {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] with a sentence, unless it is a program
    /// or a library for this machine.
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let header: [u8; 64] = at(file, 0).map_err(|_| invalid("it is not a program"))?;
        if header[..4] != *b"\x7fELF" {
            return Err(invalid("it is not a program"));
        }
        // Class 64, little-endian, version 1; type EXEC or DYN.
        let kind = u16_at(&header, 16);
        if header[4..7] != [2, 1, 1] || !(kind == 2 || kind == 3) || u16_at(&header, 18) != MACHINE {
            return Err(invalid("it is a program for another kind of machine"));
        }
        let segments = segments(file, &header)?;
        let mut elf = Self::default();
        if let Some(segment) = segments.iter().find(|segment| segment.kind == PT_INTERP) {
            elf.interpreter = Some(text(file, segment.offset)?);
        }
        if let Some(dynamic) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) {
            elf.read_dynamic(file, dynamic, &segments)?;
        }
        Ok(elf)
    }

    fn read_dynamic(&mut self, file: &File, dynamic: &Segment, segments: &[Segment]) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut strings = None;
        for index in 0..dynamic.size.min(MOST_DYNAMIC_BYTES) / 16 {
            let entry: [u8; 16] = at(file, dynamic.offset.saturating_add(index * 16))?;
            let (tag, value) = (u64_at(&entry, 0), u64_at(&entry, 8));
            match tag {
                0 => break,
                DT_STRTAB => strings = Some(file_offset(value, segments)?),
                DT_NEEDED | DT_RPATH | DT_RUNPATH => entries.push((tag, value)),
                _ => {}
            }
        }
        for (tag, value) in entries {
            let strings = strings.ok_or_else(|| invalid("it names libraries nowhere"))?;
            let value = text(file, strings.saturating_add(value))?;
            if tag == DT_NEEDED {
                self.needed.push(value);
            } else {
                self.search = Some(value);
            }
        }
        if self.needed.len() > MOST_LIBRARIES {
            return Err(invalid("it needs too many libraries"));
        }
        Ok(())
    }
}

fn segments(file: &File, header: &[u8; 64]) -> io::Result<Vec<Segment>> {
    let (offset, size, count) = (u64_at(header, 32), u16_at(header, 54), u16_at(header, 56));
    if size != 56 || usize::from(count) > MOST_HEADERS {
        return Err(invalid("its headers are broken"));
    }
    let read = |index| {
        let entry: [u8; 56] = at(file, offset.saturating_add(u64::from(index) * 56))?;
        Ok(Segment {
            kind: u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]),
            offset: u64_at(&entry, 8),
            address: u64_at(&entry, 16),
            size: u64_at(&entry, 32),
        })
    };
    (0..count).map(read).collect()
}

/// The offset in the file of the byte that is loaded at an address.
fn file_offset(address: u64, segments: &[Segment]) -> io::Result<u64> {
    segments
        .iter()
        .filter(|segment| segment.kind == PT_LOAD)
        .find_map(|segment| {
            let inner = address.checked_sub(segment.address)?;
            (inner < segment.size).then(|| segment.offset.saturating_add(inner))
        })
        .ok_or_else(|| invalid("its headers are broken"))
}

/// A text that ends with a zero byte.
fn text(file: &File, offset: u64) -> io::Result<String> {
    let mut bytes = vec![0; LONGEST_NAME];
    let count = file.read_at(&mut bytes, offset)?;
    bytes.truncate(count);
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .ok_or_else(|| invalid("a name in it has no end"))?;
    bytes.truncate(end);
    String::from_utf8(bytes).map_err(|_| invalid("a name in it is not text"))
}

fn at<const N: usize>(file: &File, offset: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes([bytes[offset], bytes[offset + 1]])
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(value)
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn this_test_needs_a_loader_and_a_c_library() {
        let elf = Elf::read(&File::open("/proc/self/exe").unwrap()).unwrap();
        assert!(elf.interpreter.unwrap().contains("/ld-"));
        assert!(elf.needed.iter().any(|name| name.starts_with("libc.")));
    }

    #[test]
    fn a_script_is_not_a_program() {
        let error = Elf::read(&file(b"#!/bin/sh\necho hello\n")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(error.to_string(), "it is not a program");
    }

    #[test]
    fn a_program_for_another_machine_is_refused() {
        let mut header = std::fs::read("/proc/self/exe").unwrap();
        header.truncate(4096);
        header[18] ^= 1;
        let error = Elf::read(&file(&header)).unwrap_err();
        assert!(error.to_string().contains("another kind of machine"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(noise in prop::collection::vec((0_usize..2048, any::<u8>()), 0..64)) {
            let mut bytes = std::fs::read("/proc/self/exe").unwrap();
            bytes.truncate(1 << 16);
            for (offset, value) in noise {
                bytes[offset] = value;
            }
            let _ = Elf::read(&file(&bytes));
        }
    }
}
