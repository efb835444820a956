//! The program `mutu`; see the library for how it is built.

fn main() -> std::process::ExitCode {
    mutu::cli::main()
}
