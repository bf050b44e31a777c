//! Completions for shells.
//!
//! The scripts that `clap_complete` writes tell commands apart, but not words: after an
//! architecture, zsh and fish would offer no option. So they get a command line in which each
//! architecture, each topic of the help and each shell is a command. In bash, other words change
//! nothing; in zsh and fish, the script has to leave out a port.

use clap::{Arg, Command, value_parser};
use clap_complete::Shell;

use crate::arch;

/// The script for a shell.
pub fn script(program: &Command, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut of_commands(program), "zerohttpd", &mut script);
    let (line, addition) = match shell {
        Shell::Zsh => ("    local ret=1\n", WITHOUT_PORT_ZSH),
        Shell::Fish => ("    set -e cmd[1]\n", WITHOUT_PORT_FISH),
        _ => return script,
    };
    let script = String::from_utf8_lossy(&script);
    script.replacen(line, &format!("{addition}{line}"), 1).into_bytes()
}

/// Takes the port out of the words: the first number that is not the value of an option.
const WITHOUT_PORT_ZSH: &str = "    local -i at
    for (( at = 2; at < CURRENT; at++ )); do
        if [[ $words[at] == <-> && $words[at-1] != -* ]]; then
            words[at]=()
            (( CURRENT -= 1 ))
            break
        fi
    done
";

/// The same for fish.
const WITHOUT_PORT_FISH: &str = "    for at in (seq 2 (count $cmd))
        set -l before (math $at - 1)
        if string match -qr '^[0-9]+$' -- $cmd[$at]; and not string match -q -- '-*' $cmd[$before]
            set -e cmd[$at]
            break
        end
    end
";

/// The program as a command line of commands and options alone.
fn of_commands(program: &Command) -> Command {
    let own = |arg: &&Arg| !arg.is_positional() && !arg.is_global_set();
    let options = || program.get_arguments().filter(own).cloned();
    let architectures = || {
        let of = |arch: &arch::Arch| Command::new(arch.name).about(arch.idea).args(options());
        arch::ALL.iter().map(of)
    };
    let commands = program.get_subcommands().cloned().map(|command| {
        match command.get_name().to_owned().as_str() {
            "serve" => Command::new("serve").args(options()).subcommands(architectures()),
            _ => with_values_as_commands(command),
        }
    });
    Command::new("zerohttpd")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .args(options())
        .subcommands(architectures())
        .subcommands(commands)
}

/// The command, with a command for each value of its words.
fn with_values_as_commands(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let values = command.get_positionals().flat_map(Arg::get_possible_values);
    // fish would take the command itself for a value of the same name.
    let values = values.filter(|value| value.get_name() != name).map(|value| {
        let about = value.get_help().cloned().unwrap_or_default();
        Command::new(value.get_name().to_owned()).about(about)
    });
    let values: Vec<_> = values.collect();
    if values.is_empty() {
        return command;
    }
    let any =
        |arg: Arg| if arg.is_positional() { arg.value_parser(value_parser!(String)) } else { arg };
    command.mut_args(any).subcommands(values)
}
