//! The rights that a process gives up before it becomes the plugin.

use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, path_beneath_rules,
};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
};

use crate::jail::wire::Settings;

/// Threads; processes are refused altogether.
const THREADS: u64 = 128;

/// Open files and sockets.
const FILES: u64 = 256;

/// The main thread's stack: V8 expects the usual size.
const STACK_BYTES: u64 = 8 << 20;

/// Sets the resource limits of the process.
pub(super) fn limit(settings: &Settings) -> io::Result<()> {
    let limits = [
        (Resource::Cpu, settings.cpu_seconds, settings.cpu_seconds + 1),
        // The writable memory, not the address space: engines reserve far more
        // of that than they use.
        (Resource::Data, settings.data_bytes, settings.data_bytes),
        (Resource::Stack, STACK_BYTES, STACK_BYTES),
        (Resource::Fsize, 16 << 20, 16 << 20),
        (Resource::Nofile, FILES, FILES),
        (Resource::Nproc, THREADS, THREADS),
        (Resource::Core, 0, 0),
        (Resource::Memlock, 0, 0),
        (Resource::Msgqueue, 0, 0),
    ];
    for (resource, current, maximum) in limits {
        let (current, maximum) = (Some(current), Some(maximum));
        setrlimit(resource, Rlimit { current, maximum })?;
    }
    Ok(())
}

/// No capability now, and none by any way later.
pub(super) fn give_up_privileges() -> io::Result<()> {
    set_no_new_privs(true)?;
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(bits)?;
    for bit in 0..64 {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            Ok(()) => {}
            // The kernel knows fewer.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    Ok(set_capabilities(None, sets)?)
}

/// Files can be read, the few programs executed, `/tmp` written; that is all.
///
/// There is no rule for outgoing TCP: the network namespace has only the host's own
/// listeners, and a rule would refuse an attempt before the host sees and logs it.
/// Listening is refused.
pub(super) fn landlock(settings: &Settings) -> Result<(), String> {
    let newest = ABI::V6;
    let read = AccessFs::from_read(newest) & !AccessFs::Execute;
    let write = AccessFs::from_all(newest) & !(AccessFs::Execute | AccessFs::IoctlDev);
    let rules = || -> Result<RulesetStatus, landlock::RulesetError> {
        let status = Ruleset::default()
            // The first version of Landlock is required, later ones are optional.
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(ABI::V1))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(newest))?
            .handle_access(AccessNet::BindTcp)?
            .scope(Scope::from_all(newest))?
            .create()?
            .add_rules(path_beneath_rules(["/"], read))?
            .add_rules(path_beneath_rules(
                &settings.executables,
                AccessFs::Execute | AccessFs::ReadFile,
            ))?
            .add_rules(path_beneath_rules(["/tmp"], write))?
            .add_rules(path_beneath_rules(
                ["/dev/null", "/dev/zero"],
                AccessFs::from_file(newest) & !AccessFs::Execute,
            ))?
            .restrict_self()?;
        Ok(status.ruleset)
    };
    match rules() {
        Ok(RulesetStatus::NotEnforced) => Err("the kernel does not enforce Landlock".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
