//! The node as a process of its own, for tests that kill it. The same program as `passerelle-node`.

fn main() -> std::process::ExitCode {
    passerelle_node::commands::main_entry()
}
