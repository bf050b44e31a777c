//! Manual pages and `docs/cli.md`, made from the definition of the command line.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use clap::builder::PossibleValue;
use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::help::{EXAMPLES, SECTIONS};

/// The program and its version, which each page names.
const VERSION: &str = concat!("zerohttpd ", env!("CARGO_PKG_VERSION"));

/// The manual page of the program, or of one command.
///
/// # Errors
///
/// None, as it is written to memory.
pub fn page(mut program: Command, command: Option<&str>) -> io::Result<Vec<u8>> {
    program.build();
    let found = command.and_then(|name| program.find_subcommand(name));
    render(found.unwrap_or(&program).clone(), found.is_none())
}

/// Writes a page for the program and for each command into a folder: `zerohttpd.1`,
/// `zerohttpd-load.1` and so on.
///
/// # Errors
///
/// The folder can't be written to.
pub fn write_pages(mut program: Command, folder: &Path) -> io::Result<()> {
    program.build();
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("zerohttpd.1"), render(program.clone(), true)?)?;
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        let file = folder.join(format!("zerohttpd-{}.1", command.get_name()));
        std::fs::write(file, render(command.clone(), false)?)?;
    }
    Ok(())
}

fn render(command: Command, is_program: bool) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let notes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let name = command.get_display_name().unwrap_or("zerohttpd").to_owned();
    let man = Man::new(command.display_name(&name)).source(VERSION).manual("ZeroHTTPd");
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    let mut rest = Roff::default();
    if is_program {
        list(&mut rest, "Examples", EXAMPLES);
        rest.to_writer(&mut out)?;
        rest = Roff::default();
    }
    man.render_options_section(&mut out)?;
    if is_program {
        man.render_subcommands_section(&mut out)?;
        SECTIONS.iter().for_each(|(title, items)| list(&mut rest, title, items));
    } else {
        if !notes.is_empty() {
            rest.control("SH", ["NOTES"]);
            // Its lines stay as they are.
            rest.control("nf", []);
            for line in notes.lines() {
                rest.text([roman(line)]);
            }
            rest.control("fi", []);
        }
        rest.control("SH", ["SEE ALSO"]);
        rest.text([bold("zerohttpd"), roman("(1)")]);
    }
    rest.to_writer(&mut out)?;
    Ok(out)
}

/// A section of a manual page: terms and their meanings.
fn list(roff: &mut Roff, title: &str, items: &[(&str, &str)]) {
    roff.control("SH", [title.to_uppercase().as_str()]);
    for (term, meaning) in items {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*meaning)]);
    }
}

/// `docs/cli.md`: every command and option.
pub fn markdown(mut program: Command) -> String {
    program.build();
    let mut text = String::from(
        "# The command line\n\n\
         Every command and option of `zerohttpd`. The program wrote this page: \
         `zerohttpd man --markdown > docs/cli.md`\nwrites it again.\n",
    );
    write_command(&mut text, &program);
    for (title, items) in [("Examples", EXAMPLES)].iter().chain(SECTIONS) {
        let _ = write!(text, "\n### {title}\n\n| | |\n|---|---|\n");
        for (term, meaning) in *items {
            let _ = writeln!(text, "| `{term}` | {meaning} |");
        }
    }
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        write_command(&mut text, command);
    }
    text
}

fn write_command(text: &mut String, command: &Command) {
    let name = command.get_bin_name().unwrap_or("zerohttpd");
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").lines().map(str::trim);
    let usage: Vec<_> = usage.map(|form| format!("`{form}`")).collect();
    let _ = write!(text, "\n## {name}\n\n{about}.\n\nUsage: {}\n", usage.join(" or "));
    let mut headings = vec![None];
    headings.extend(command.get_arguments().filter_map(Arg::get_help_heading).map(Some));
    let mut seen = Vec::new();
    for heading in headings {
        if seen.contains(&heading) {
            continue;
        }
        seen.push(heading);
        let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let rows: String = args.filter(|arg| arg.get_help_heading() == heading).map(row).collect();
        if let Some(heading) = heading {
            let _ = write!(text, "\n### {heading}\n");
        }
        if !rows.is_empty() {
            let _ = write!(text, "\n| option | meaning |\n|---|---|\n{rows}");
        }
    }
    let is_program = command.get_bin_name() == Some("zerohttpd");
    if let Some(notes) = command.get_after_help().filter(|_| !is_program) {
        let _ = write!(text, "\n```text\n{}\n```\n", notes.to_string().trim_end());
    }
}

/// The row of an argument.
fn row(arg: &Arg) -> String {
    let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let value = value.map(|names| names.join(" ")).unwrap_or_default();
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    let name = format!("{} {value}", names.join(", "));
    let mut meaning = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values = arg.get_possible_values();
    let values: Vec<_> = values.iter().filter(|value| !value.is_hide_set()).collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        meaning += &values.iter().map(|value| described(value)).collect::<String>();
    }
    let defaults: Vec<_> = arg.get_default_values().iter().filter_map(|v| v.to_str()).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        let _ = write!(meaning, " [default: {}]", defaults.join(" "));
    }
    format!("| `{}` | {} |\n", name.trim().replace('|', "\\|"), meaning.replace('|', "\\|"))
}

fn described(value: &PossibleValue) -> String {
    let name = value.get_name();
    match value.get_help() {
        Some(help) => format!("<br>`{name}`: {help}"),
        None => format!("<br>`{name}`"),
    }
}
