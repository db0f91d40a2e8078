//! Who is calling: the user whom the kernel names at the other end of the Unix socket, or the name in an operator
//! certificate; and the roles that the configuration gives them. Nobody who is not listed may do anything.

use std::{collections::HashMap, io};

use passerelle_domain::{
    catalogue::Role,
    decide::Caller,
    entry::Actor,
    refusal::{Code, Refusal},
};
use tonic::{Request, transport::server::UdsConnectInfo};

use crate::{
    config::{Identity, Operator as Configured, User},
    trust::OperatorInfo,
};

/// The operators of the configuration, found by what proves who they are.
#[derive(Clone, Debug, Default)]
pub struct Operators {
    by_uid: HashMap<u32, Listed>,
    by_certificate: HashMap<String, Listed>,
}

#[derive(Clone, Debug)]
struct Listed {
    actor: Actor,
    roles: Vec<Role>,
}

/// Looks up the number of a login name.
///
/// # Errors
/// When the machine's user database cannot be read.
pub fn uid_of(login: &str) -> io::Result<Option<u32>> {
    Ok(nix::unistd::User::from_name(login)?.map(|user| user.uid.as_raw()))
}

impl Operators {
    /// The operators of a configuration. `uid_of` finds the number of a login name; one that this machine does not
    /// know stays without access until the next start, and is told in the log.
    ///
    /// # Errors
    /// When `uid_of` fails.
    pub fn resolve(configured: &[Configured], uid_of: impl Fn(&str) -> io::Result<Option<u32>>) -> io::Result<Self> {
        let mut operators = Self::default();
        for operator in configured {
            let listed = |name: &str| {
                let (name, roles) = (name.to_owned(), operator.roles.clone());
                Listed { actor: if operator.automation { Actor::Program(name) } else { Actor::Operator(name) }, roles }
            };
            let (uid, name) = match &operator.identity {
                Identity::Certificate(name) => {
                    operators.by_certificate.entry(name.clone()).or_insert_with(|| listed(name));
                    continue;
                }
                Identity::User(User::Uid(uid)) => (*uid, uid.to_string()),
                Identity::User(User::Login(login)) => match uid_of(login)? {
                    Some(uid) => (uid, login.clone()),
                    None => {
                        tracing::warn!(login, "an operator of the configuration is no user of this machine");
                        continue;
                    }
                },
            };
            if operators.by_uid.contains_key(&uid) {
                tracing::warn!(uid, "two operators of the configuration are one user; the first one counts");
            }
            operators.by_uid.entry(uid).or_insert_with(|| listed(&name));
        }
        Ok(operators)
    }

    /// Who made a request.
    ///
    /// # Errors
    /// `unauthenticated`, with the name under which the refusal is recorded.
    pub(super) fn caller<T>(&self, request: &Request<T>) -> Result<Caller, (Actor, Refusal)> {
        let extensions = request.extensions();
        let (listed, name) = if let Some(info) = extensions.get::<OperatorInfo>() {
            (self.by_certificate.get(&info.name), info.name.clone())
        } else {
            let uid = extensions.get::<UdsConnectInfo>().and_then(|info| info.peer_cred).map(|cred| cred.uid());
            let name = uid.map_or_else(|| "nobody".to_owned(), |uid| format!("uid {uid}"));
            (uid.and_then(|uid| self.by_uid.get(&uid)), name)
        };
        match listed {
            Some(Listed { actor, roles }) => Ok(Caller { actor: actor.clone(), roles: roles.clone() }),
            None => {
                let message = format!("{name} is no operator of this node");
                Err((Actor::Operator(name), Refusal::new(Code::Unauthenticated, message)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_from_a_person_by_whatever_proves_who_it_is() {
        let configured = [
            (Identity::Certificate("import".into()), true),
            (Identity::Certificate("awa".into()), false),
            (Identity::User(User::Uid(7)), true),
        ];
        let operator = |(identity, automation)| Configured { identity, roles: vec![Role::Caseworker], automation };
        let operators = Operators::resolve(&configured.map(operator), |_| Ok(None)).expect("no login to look up");
        let by = |name: &str| {
            let mut request = Request::new(());
            request.extensions_mut().insert(OperatorInfo {
                name: name.to_owned(),
                address: ([127, 0, 0, 1], 9).into(),
                serial: String::new(),
                not_after: passerelle_domain::time::Time::default(),
            });
            operators.caller(&request).map(|caller| caller.actor).map_err(|(_, refusal)| refusal.code)
        };
        assert_eq!(by("import"), Ok(Actor::Program("import".into())));
        assert_eq!(by("awa"), Ok(Actor::Operator("awa".into())));
        assert_eq!(by("nobody"), Err(Code::Unauthenticated));
        assert_eq!(operators.by_uid[&7].actor, Actor::Program("7".into()));
    }
}
