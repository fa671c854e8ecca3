//! Explains why a jail could not be built, and how to fix it.

use std::fs;

use super::wire::Step;

/// Two sentences for an operator.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    pub(super) reason: String,
    pub(super) fix: String,
}

/// The kernel's settings for namespaces.
#[derive(Debug, Default, Clone, Copy)]
struct Switches {
    /// Debian's `kernel.unprivileged_userns_clone`.
    clone: Option<u64>,
    /// Ubuntu's `kernel.apparmor_restrict_unprivileged_userns`.
    apparmor: Option<u64>,
    /// `user.max_user_namespaces`.
    most: Option<u64>,
}

impl Switches {
    fn read() -> Self {
        let value = |name| {
            let text = fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
            text.trim().parse().ok()
        };
        Self {
            clone: value("kernel/unprivileged_userns_clone"),
            apparmor: value("kernel/apparmor_restrict_unprivileged_userns"),
            most: value("user/max_user_namespaces"),
        }
    }
}

/// Explains the failure of a step.
pub(super) fn explain(step: Step, error: &str) -> Explanation {
    explain_with(step, error, Switches::read())
}

fn explain_with(step: Step, error: &str, switches: Switches) -> Explanation {
    let (reason, fix) = match step {
        Step::UserNamespace | Step::Namespaces => return namespaces(error, switches),
        Step::Network => (
            "The jail's network could not be built",
            "Check that the kernel has packet sockets (CONFIG_PACKET), or use the WebAssembly engine.",
        ),
        Step::Files if error.contains("ermission denied") => (
            "A file that the plugin's program needs cannot be read by ordinary users",
            "Install Node.js where everybody can read it, such as /usr/local, or run openneko as the user who owns it.",
        ),
        Step::Files => (
            "The jail's file system could not be built",
            "In a container, allow mounts in user namespaces, or use the WebAssembly engine.",
        ),
        Step::Landlock => (
            "The kernel does not offer Landlock",
            "Use Linux 5.13 or later with `landlock` among the security modules (see /sys/kernel/security/lsm; the boot parameter is `lsm=`).",
        ),
        Step::Seccomp => (
            "The kernel does not take the system call filter",
            "Use a kernel with CONFIG_SECCOMP_FILTER.",
        ),
        Step::Execute => (
            "The plugin's program could not be started",
            "Check that it runs on this machine outside of the jail.",
        ),
        Step::Settings | Step::Privileges | Step::Limits => (
            "The jail's helper could not prepare itself",
            "Start openneko anew after an update; if it stays, report it.",
        ),
    };
    Explanation {
        reason: format!("{reason} ({error})."),
        fix: fix.to_owned(),
    }
}

fn namespaces(error: &str, switches: Switches) -> Explanation {
    let (reason, fix) = if switches.clone == Some(0) {
        (
            "The kernel does not let ordinary users make namespaces",
            "Set kernel.unprivileged_userns_clone=1 with sysctl, and in /etc/sysctl.d to keep it.",
        )
    } else if switches.most == Some(0) {
        (
            "User namespaces are switched off",
            "Set user.max_user_namespaces=15000 with sysctl, and in /etc/sysctl.d to keep it.",
        )
    } else if switches.apparmor == Some(1) {
        (
            "AppArmor does not let this program make namespaces",
            "Add an AppArmor profile for openneko with the rule `userns,`: the page on the sandbox in the documentation has one.",
        )
    } else {
        (
            "This process may not make namespaces",
            "In a container, give it a seccomp profile that allows unshare and mount, or use the WebAssembly engine.",
        )
    };
    Explanation {
        reason: format!("{reason} ({error})."),
        fix: fix.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_that_forbids_namespaces_is_named_with_what_mends_it() {
        let denied = "Operation not permitted (os error 1)";
        let none = Switches::default();
        for (switches, reason, fix) in [
            (
                Switches {
                    clone: Some(0),
                    ..none
                },
                "ordinary users",
                "unprivileged_userns_clone=1",
            ),
            (
                Switches {
                    most: Some(0),
                    ..none
                },
                "switched off",
                "max_user_namespaces",
            ),
            (
                Switches {
                    apparmor: Some(1),
                    ..none
                },
                "AppArmor",
                "userns,",
            ),
            (none, "may not make", "container"),
        ] {
            let explained = explain_with(Step::UserNamespace, denied, switches);
            assert!(explained.reason.contains(reason), "{explained:?}");
            assert!(explained.reason.contains("os error 1"), "{explained:?}");
            assert!(explained.fix.contains(fix), "{explained:?}");
        }
    }

    #[test]
    fn a_node_that_only_root_can_read_is_explained() {
        let explained = explain_with(Step::Files, "/root/node: Permission denied", Switches::default());
        assert!(explained.fix.contains("everybody can read"), "{explained:?}");
    }
}
