//! The program `vultus`; see the library beside it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Threads come and go with sessions, and the C library's allocator keeps what each of them has used: a third more memory after forty sessions.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    vultus_demo::main()
}
