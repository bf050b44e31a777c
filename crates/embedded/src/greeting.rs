//! The commands about the connection and about the store itself.

use zerohttpd_core::store::resp;

use super::command::{CommandError, CommandResult, number};
use super::database::Database;

/// PING \[message\].
pub(super) fn ping(_: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    match args.first() {
        None => resp::simple(out, "PONG"),
        Some(message) => resp::bulk(out, message),
    }
    Ok(())
}

/// ECHO message.
pub(super) fn echo(_: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    resp::bulk(out, args[0]);
    Ok(())
}

/// SELECT index: there is one database, 0.
pub(super) fn select(_: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    match number(args[0])? {
        0 => ok(out),
        _ => Err(CommandError::refused("ERR DB index is out of range")),
    }
}

/// CLIENT: a client can give its name; the store does not keep it.
pub(super) fn client(_: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let subcommand = args[0].to_ascii_lowercase();
    match (&subcommand[..], args.len() - 1) {
        (b"setname", 1) | (b"setinfo", 2) => ok(out),
        (b"getname", 0) => {
            resp::null(out);
            Ok(())
        }
        (b"setname" | b"setinfo" | b"getname", _) => Err(CommandError::refused(format!(
            "ERR wrong number of arguments for 'client|{}' command",
            subcommand.escape_ascii()
        ))),
        _ => Err(CommandError::refused(format!(
            "ERR unknown subcommand '{}'. Try CLIENT HELP.",
            String::from_utf8_lossy(args[0])
        ))),
    }
}

/// COMMAND: redis-cli asks for help texts when it starts; there are none.
pub(super) fn command(_: &mut Database, _: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    resp::array(out, 0);
    Ok(())
}

/// HELLO \[version\]: the store speaks RESP2; a client that asks for RESP3 gets an error.
pub(super) fn hello(_: &mut Database, args: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    match args {
        [] | [b"2"] => {}
        [_] => return Err(CommandError::refused("NOPROTO unsupported protocol version")),
        [_, option, ..] => {
            let option = String::from_utf8_lossy(option);
            return Err(CommandError::refused(format!(
                "ERR Syntax error in HELLO option '{option}'"
            )));
        }
    }
    resp::array(out, 14);
    for (field, value) in [("server", "zerohttpd"), ("version", env!("CARGO_PKG_VERSION"))] {
        resp::bulk(out, field.as_bytes());
        resp::bulk(out, value.as_bytes());
    }
    for (field, value) in [("proto", 2), ("id", 1)] {
        resp::bulk(out, field.as_bytes());
        resp::integer(out, value);
    }
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        resp::bulk(out, field.as_bytes());
        resp::bulk(out, value.as_bytes());
    }
    resp::bulk(out, b"modules");
    resp::array(out, 0);
    Ok(())
}

/// AUTH: there is no password; the socket's mode decides which users can connect.
pub(super) fn auth(_: &mut Database, _: &[&[u8]], _: &mut Vec<u8>) -> CommandResult {
    Err(CommandError::refused(
        "ERR AUTH <password> called without any password configured for the default user. \
         Are you sure your configuration is correct?",
    ))
}

/// INFO: the reply is the same for every section.
pub(super) fn info(db: &mut Database, _: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    let keys = db.size()?;
    let text = format!(
        "# Server\r\nserver_name:zerohttpd\r\nserver_version:{}\r\nsqlite_version:{}\r\n\
         process_id:{}\r\nfile:{}\r\n\r\n# Keyspace\r\ndb0:keys={keys}\r\n",
        env!("CARGO_PKG_VERSION"),
        rusqlite::version(),
        std::process::id(),
        db.connection.path().unwrap_or_default(),
    );
    resp::bulk(out, text.as_bytes());
    Ok(())
}

/// QUIT: the connection is closed after the reply.
pub(super) fn quit(_: &mut Database, _: &[&[u8]], out: &mut Vec<u8>) -> CommandResult {
    ok(out)
}

fn ok(out: &mut Vec<u8>) -> CommandResult {
    resp::simple(out, "OK");
    Ok(())
}
