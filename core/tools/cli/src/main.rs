//! `ehr`: the command.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(ehrcore_cli::run(std::env::args_os()))
}
