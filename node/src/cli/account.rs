//! `stockade account`

use std::io::{self, Read};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{As, Client, Connection, encode};
use super::{Ended, output};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show all accounts
    List,
    /// Make an account; the password is read from standard input
    Add {
        /// Its name
        name: String,
        /// reader, sensor, analyst or admin
        #[arg(long, default_value = "analyst")]
        role: String,
    },
    /// Change a password, read from standard input
    Passwd {
        /// The account
        name: String,
    },
    /// Change a role
    Role {
        /// The account
        name: String,
        /// reader, sensor, analyst or admin
        role: String,
    },
    /// Delete an account
    Delete {
        /// The account
        name: String,
    },
    /// Make an API token and print it; it is shown only once
    Token {
        /// The account
        name: String,
        /// What the token is for
        token: String,
    },
    /// Revoke an API token
    Revoke {
        /// The account
        name: String,
        /// The token's name
        token: String,
    },
}

impl Arguments {
    pub(super) fn run(self) -> Result<Ended, String> {
        let client = Client::new(&self.connection);
        let user = |name: &str| format!("/user/{}", encode(name));
        let answer = match self.action {
            Action::List => return list(&client),
            Action::Add { name, role } => {
                let account = json!({"username": name, "password": password()?, "role": role});
                client.send("POST", "/user/register", As::Operator, &account)?.success()?;
                output::line(&format!("account {name} made"))?;
                return Ok(Ended::Done);
            }
            Action::Passwd { name } => {
                client.send("PATCH", &user(&name), As::Account, &json!({"password": password()?}))
            }
            Action::Role { name, role } => {
                client.send("PATCH", &user(&name), As::Account, &json!({"role": role}))
            }
            Action::Delete { name } => client.send("DELETE", &user(&name), As::Account, &json!({})),
            Action::Token { name, token } => {
                let path = format!("{}/tokens", user(&name));
                let made =
                    client.send("POST", &path, As::Account, &json!({"name": token}))?.success()?.json()?;
                output::line(made["token"].as_str().unwrap_or_default())?;
                return Ok(Ended::Done);
            }
            Action::Revoke { name, token } => {
                let path = format!("{}/tokens/{}", user(&name), encode(&token));
                client.send("DELETE", &path, As::Account, &json!({}))
            }
        };
        output::line(&answer?.success()?.message())?;
        Ok(Ended::Done)
    }
}

fn list(client: &Client) -> Result<Ended, String> {
    let accounts = client.get("/users", As::Account)?.success()?.json()?;
    for account in accounts.as_array().into_iter().flatten() {
        let text = |name: &str| account[name].as_str().unwrap_or_default().to_owned();
        let tokens = account["tokens"].as_array().map_or(0, Vec::len);
        let (name, role, created) = (text("username"), text("role"), text("created"));
        output::line(&format!("{name:<24} {role:<8} {created}  {tokens} tokens"))?;
    }
    Ok(Ended::Done)
}

fn password() -> Result<Value, String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(json!(text.trim_end_matches(['\r', '\n'])))
}
