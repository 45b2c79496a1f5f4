//! The name layer: operator's ceiling ∩ tenant's list ∩ connector's manifest. Each may only narrow.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

use super::address::Cidr;
use super::config::{EgressConfig, EgressSetupError, PortRange};
use super::pattern::{Author, HostPattern, PatternError, SPECIAL_NAMES, any_port};
use super::target::{Host, Scheme, Target, origin, parse_host};

/// Ports of mail: a request in HTTP could speak to a mail server there.
pub(super) const MAIL_PORTS: &[u16] = &[25, 465, 587];

/// Ports of the web: a line of SMTP could speak to an HTTP server there.
const WEB_PORTS: &[u16] = &[80, 443];

const SETTING: &str = "{settings:";

/// A host pattern that cannot be used, with the field it stands in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: '{pattern}': {problem}")]
pub struct PolicyError {
    /// The field, such as `allowed_hosts[0]`.
    pub field: String,
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: PatternError,
}

fn read(field: &str, patterns: &[String], author: Author) -> Result<Vec<HostPattern>, PolicyError> {
    let one = |(index, pattern): (usize, &String)| {
        HostPattern::parse(pattern, author).map_err(|problem| PolicyError {
            field: format!("{field}[{index}]"),
            pattern: pattern.clone(),
            problem,
        })
    };
    patterns.iter().enumerate().map(one).collect()
}

/// What the operator allows at most, read once.
#[derive(Debug)]
pub struct Ceiling {
    hosts: Vec<HostPattern>,
    ports: Vec<PortRange>,
    plaintext: Vec<HostPattern>,
    special: Vec<String>,
    literals: Vec<Cidr>,
}

impl Ceiling {
    /// Reads the operator's configuration.
    ///
    /// # Errors
    /// [`EgressSetupError`] for a malformed pattern or name.
    pub fn new(config: &EgressConfig) -> Result<Self, EgressSetupError> {
        let special = config
            .special_names
            .iter()
            .map(|name| match parse_host(name) {
                Ok(Host::Name(name)) => Ok(name),
                _ => Err(EgressSetupError::Name {
                    field: "special_names",
                    name: name.clone(),
                }),
            });
        let special = special.collect::<Result<_, _>>()?;
        Ok(Self {
            hosts: read("allowed_hosts", &config.allowed_hosts, Author::Operator)?,
            ports: config.ports.clone(),
            plaintext: read("plaintext_hosts", &config.plaintext_hosts, Author::Operator)?,
            special,
            literals: config.allow_addresses.clone(),
        })
    }

    fn check(&self, target: &Target) -> Result<(), &'static str> {
        match &target.host {
            Host::Address(address) => {
                if !self.literals.iter().any(|range| range.contains(*address)) {
                    return Err("host.address-literal");
                }
            }
            Host::Name(name) => self.check_name(name)?,
        }
        self.check_port(target)?;
        if !any(&self.hosts, target) {
            return Err("host.not-allowed-by-operator");
        }
        Ok(())
    }

    fn check_port(&self, target: &Target) -> Result<(), &'static str> {
        let port = target.port;
        let mut plaintext = self.plaintext(target).peekable();
        match target.scheme {
            Scheme::Http if plaintext.peek().is_none() => return Err("scheme.plaintext"),
            Scheme::Http | Scheme::Https if MAIL_PORTS.contains(&port) => return Err("port.mail"),
            Scheme::Smtp if WEB_PORTS.contains(&port) => return Err("port.web"),
            _ => {}
        }
        let by_pattern = match target.scheme {
            Scheme::Http => plaintext.any(|pattern| port == 80 || pattern.names_port(port)),
            Scheme::Https | Scheme::Smtp => false,
        };
        if by_pattern || any_port(&self.ports, port) {
            Ok(())
        } else {
            Err("port.not-allowed")
        }
    }

    /// The operator's patterns that open the target without TLS.
    fn plaintext(&self, target: &Target) -> impl Iterator<Item = &HostPattern> {
        self.plaintext
            .iter()
            .filter(|pattern| pattern.matches(&target.host, target.port))
    }

    fn check_name(&self, name: &str) -> Result<(), &'static str> {
        if self.special.iter().any(|suffix| is_below(name, suffix)) {
            return Ok(());
        }
        if !name.contains('.') {
            return Err("host.single-label");
        }
        if SPECIAL_NAMES.iter().any(|suffix| is_below(name, suffix)) {
            return Err("host.special-use");
        }
        Ok(())
    }
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn any(patterns: &[HostPattern], target: &Target) -> bool {
    patterns
        .iter()
        .any(|pattern| pattern.matches(&target.host, target.port))
}

/// What one integration may reach, at one revision of it.
#[derive(Debug)]
pub struct EgressPolicy {
    operator: Arc<Ceiling>,
    tenant: Option<Vec<HostPattern>>,
    connector: Vec<HostPattern>,
    /// What secrets were given for, by their settings' pointers.
    bound: BTreeMap<String, Vec<HostPattern>>,
    fingerprint: u64,
}

impl EgressPolicy {
    /// Joins the three lists. `{settings:/pointer}` in a connector's pattern stands for that setting: a
    /// whole pattern may become the host and port of a URL, a part of one only labels. A pattern whose
    /// setting is missing falls away.
    ///
    /// # Errors
    /// [`PolicyError`] for the first malformed pattern.
    pub fn new(
        operator: &Arc<Ceiling>,
        tenant_hosts: Option<&[String]>,
        connector_hosts: &[String],
        settings: &Value,
    ) -> Result<Self, PolicyError> {
        let tenant = tenant_hosts
            .map(|hosts| read("allowed_hosts", hosts, Author::Tenant))
            .transpose()?;
        let connector = asked(connector_hosts, settings)?;
        let mut hasher = DefaultHasher::new();
        (&tenant, &connector).hash(&mut hasher);
        Ok(Self {
            operator: Arc::clone(operator),
            tenant,
            connector,
            bound: BTreeMap::new(),
            fingerprint: hasher.finish(),
        })
    }

    /// Ties the secret at a setting's JSON pointer to the hosts that it was given for: toward any other it is not
    /// filled in, whatever the lists let through. A secret that is not named here goes wherever the lists lead.
    ///
    /// # Errors
    /// [`PolicyError`] for a malformed pattern.
    pub fn binding<'s>(
        mut self,
        secrets: impl IntoIterator<Item = (&'s str, &'s BTreeSet<String>)>,
    ) -> Result<Self, PolicyError> {
        for (setting, hosts) in secrets {
            let hosts: Vec<_> = hosts.iter().cloned().collect();
            let hosts = read("bound_to.hosts", &hosts, Author::Connector)?;
            self.bound.insert(setting.to_owned(), hosts);
        }
        Ok(self)
    }

    /// Whether the secret at this setting was given for the target.
    pub(super) fn may_carry(&self, setting: &str, target: &Target) -> bool {
        let hosts = self.bound.get(setting);
        hosts.is_none_or(|hosts| any(hosts, target))
    }

    /// Whether the name layer lets a request through, or the rule that refuses it.
    pub(super) fn check(&self, target: &Target) -> Result<(), &'static str> {
        self.operator.check(target)?;
        if self.tenant.as_ref().is_some_and(|list| !any(list, target)) {
            return Err("host.not-allowed-by-tenant");
        }
        if !any(&self.connector, target) {
            return Err("host.not-asked-by-connector");
        }
        Ok(())
    }

    /// The lists that there are, each with its first pattern that holds the target.
    pub(super) fn lists(&self, target: &Target) -> Vec<(&'static str, Option<String>)> {
        let first = |patterns: &[HostPattern]| {
            let mut held = patterns.iter();
            held.find(|pattern| pattern.matches(&target.host, target.port))
                .map(HostPattern::to_string)
        };
        let tenant = self.tenant.as_ref().map(|list| ("tenant", first(list)));
        [("operator", first(&self.operator.hosts))]
            .into_iter()
            .chain(tenant)
            .chain([("connector", first(&self.connector))])
            .collect()
    }

    /// Whether the operator lets mail reach the target without TLS.
    pub(super) fn allows_plaintext(&self, target: &Target) -> bool {
        self.operator.plaintext(target).next().is_some()
    }

    /// Differs where the tenant's or connector's list does: kept connections must not outlive a list.
    pub(super) const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// The host patterns of a connector with its settings filled in, each as it is written. The settings hold no secret.
///
/// # Errors
/// [`PolicyError`] for the first malformed pattern.
pub fn expanded_hosts(
    connector_hosts: &[String],
    settings: &Value,
) -> Result<BTreeSet<String>, PolicyError> {
    let asked = asked(connector_hosts, settings)?;
    Ok(asked.iter().map(HostPattern::to_string).collect())
}

fn asked(connector_hosts: &[String], settings: &Value) -> Result<Vec<HostPattern>, PolicyError> {
    let mut asked = Vec::new();
    for (index, pattern) in connector_hosts.iter().enumerate() {
        let error = |problem| PolicyError {
            field: format!("hosts[{index}]"),
            pattern: pattern.clone(),
            problem,
        };
        let Some(expanded) = expand(pattern, settings).map_err(error)? else {
            continue;
        };
        asked.push(HostPattern::parse(&expanded, Author::Connector).map_err(error)?);
    }
    Ok(asked)
}

/// A connector's pattern with its settings filled in; none where one is missing.
fn expand(pattern: &str, settings: &Value) -> Result<Option<String>, PatternError> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(SETTING) {
        let (before, found) = rest.split_at(at);
        let inner = found.get(SETTING.len()..).unwrap_or_default();
        let (pointer, after) = inner.split_once('}').ok_or(PatternError::Syntax)?;
        let value = match settings.pointer(pointer) {
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Ok(None),
        };
        if out.is_empty() && before.is_empty() && after.is_empty() {
            return whole(&value).map(Some);
        }
        let is_label = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "-.".contains(c);
        let is_host = out.is_empty() && before.is_empty() && parse_host(&value).is_ok();
        if !is_host && !value.chars().all(is_label) {
            return Err(PatternError::Syntax);
        }
        out.push_str(before);
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(Some(out))
}

/// The host, with its port, of a setting that holds a URL, a host, or a host with a port.
fn whole(value: &str) -> Result<String, PatternError> {
    if value.contains("://") {
        let (_, host, port, _) = origin(value).map_err(|_| PatternError::Syntax)?;
        return Ok(format!("{host}:{port}"));
    }
    if value.contains(['*', '/']) {
        return Err(PatternError::Syntax);
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests;
