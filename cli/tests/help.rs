//! The help texts, frozen: they are the manual.

use clap::CommandFactory as _;
use passerelle_cli::args::Cli;

fn write(command: &mut clap::Command, name: &str, page: &mut String) {
    page.push_str(&format!("$ {name} --help\n{}\n", command.render_long_help()));
    for child in command.get_subcommands_mut() {
        let name = format!("{name} {}", child.get_name());
        write(child, &name, page);
    }
}

#[test]
fn help_texts_are_frozen() {
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut page =
        format!("$ passerelle -h\n{}\n$ passerelle --help\n{}\n", root.render_help(), root.render_long_help());
    insta::assert_snapshot!("root", page);
    for child in root.get_subcommands_mut() {
        let name = child.get_name().to_owned();
        page.clear();
        write(child, &format!("passerelle {name}"), &mut page);
        // The options that every command has stand in the root's help.
        let lines: Vec<&str> = page.lines().map(str::trim_end).collect();
        insta::assert_snapshot!(name, lines.join("\n"));
    }
}
