//! Quiet on machines without a desktop session.
//!
//! Mesa's layer that lets the user of a desktop choose a GPU loads itself into every Vulkan program, and where there is no desktop
//! it complains on stderr about a missing XDG_RUNTIME_DIR. Its one switch is an environment variable. A process cannot set one
//! for itself safely, but it can begin again with it.

/// The switch, as Mesa names it.
#[cfg(unix)]
const SWITCH: &str = "NODEVICE_SELECT";

/// Begins this process again without the layer where it could only complain. Comes back where that is not needed or not possible.
pub(crate) fn leave_out_device_choice() {
    #[cfg(unix)]
    if std::env::var_os("XDG_RUNTIME_DIR").is_none_or(|dir| dir.is_empty())
        && std::env::var_os(SWITCH).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        use std::os::unix::process::CommandExt as _;
        let mut arguments = std::env::args_os();
        let mut command = std::process::Command::new(program);
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        // Only comes back when it fails, and then the complaint is the lesser evil.
        let _ = command.args(arguments).env(SWITCH, "1").exec();
    }
}
