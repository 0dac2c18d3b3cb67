//! The routes of the API, with the parameters and the fields that each of them knows, and of which type they are.

/// A route.
pub struct Route {
    /// Its path as `api/src/routes.rs` has it; names in braces stand for anything.
    pub path: &'static str,
    pub(crate) methods: &'static [&'static str],
    pub(crate) query: &'static [Field],
    pub(crate) body: &'static [Field],
}

/// A name, and what belongs to it.
#[derive(Clone, Copy)]
pub(crate) struct Field(pub(crate) &'static str, pub(crate) Word);

/// What a value is to be.
#[derive(Clone, Copy)]
pub(crate) enum Word {
    Number,
    Index,
    Wait,
    Text,
    Duration,
    Time,
    Value,
    Switch,
    OneOf(&'static [&'static str]),
}

use Word::{Duration, Index, Number, OneOf, Switch, Text, Time, Value, Wait};

const FORMATS: Word = OneOf(&[
    "json",
    "csv",
    "txt",
    "xml",
    "ndjson",
    "nft",
    "ipset",
    "haproxy",
    "rpz",
    "mikrotik",
    "zeek",
    "wazuh-cdb",
    "f5",
    "pdf",
]);
const FIELDS: Word = OneOf(&[
    "value",
    "type",
    "comment",
    "sighting",
    "source",
    "time_added",
    "expires",
    "tags",
    "index",
    "colour",
]);
const KINDS: Word = OneOf(&["ip", "domain", "url", "hash", "email", "username", "port"]);
const ROLES: Word = OneOf(&["reader", "sensor", "analyst", "root"]);
const FRESH: [Field; 4] = [
    Field("min_index", Index),
    Field("consistency", OneOf(&["linearizable", "local"])),
    Field("max_lag", Duration),
    Field("pending", OneOf(&["exclude", "include"])),
];
const READ: &[Field] = &[FRESH[0], FRESH[1], FRESH[2], FRESH[3], Field("format", FORMATS)];
const LIST: &[Field] = &[
    FRESH[0],
    FRESH[1],
    FRESH[2],
    FRESH[3],
    Field("format", FORMATS),
    Field("fields", FIELDS),
    Field("header", Switch),
    Field("preset", Text),
    Field("family", OneOf(&["4", "6", "5"])),
    Field("min_sightings", Number),
    Field("min_sources", Number),
    Field("seen_within", Duration),
    Field("tag", Text),
    Field("source", Text),
    Field("added_by", Text),
    Field("sort", OneOf(&["value", "-value", "time_added", "-sighting", "colour"])),
    Field("limit", Number),
    Field("cursor", Text),
    Field("aggregate", Switch),
    Field("hosts_only", Switch),
    Field("expand", Number),
    Field("shard", OneOf(&["1/4", "0/0", "5/4", "1/99999999999", "/"])),
    Field("max", Number),
    Field("skip", Number),
];
const REPORT: &[Field] = &[
    Field("ip", Value),
    Field("value", Value),
    Field("domain", Value),
    Field("comment", Text),
    Field("source", Text),
    Field("ttl", Duration),
    Field("tags", Text),
    Field("seen", Time),
];
const WRITE: &[Field] = &[
    Field("dry_run", Switch),
    Field("import", Text),
    Field("comment", Text),
    Field("source", Text),
    Field("ttl", Duration),
];
const SINCE: &[Field] =
    &[Field("since", Index), Field("wait", Wait), Field("limit", Number), Field("format", FORMATS)];
const BOUNCER: &[Field] = &[
    Field("ip", Value),
    Field("range", Value),
    Field("scope", OneOf(&["ip", "Range", "country"])),
    Field("scopes", OneOf(&["ip", "range"])),
    Field("value", Value),
    Field("type", OneOf(&["ban", "captcha"])),
    Field("startup", Switch),
    Field("origins", Text),
    Field("scenarios_containing", Text),
    Field("dedup", Switch),
];
const METRICS: &[Field] = &[Field("remediation_components", Text), Field("log_processors", Text)];
const ALLOW: &[Field] = &[
    Field("ip", Value),
    Field("value", Value),
    Field("kind", KINDS),
    Field("comment", Text),
    Field("type", OneOf(&["cidr", "hostname", "string"])),
    Field("list", Value),
];

const fn get(path: &'static str, query: &'static [Field]) -> Route {
    Route { path, methods: &["GET", "HEAD"], query, body: &[] }
}

const fn post(path: &'static str, query: &'static [Field], body: &'static [Field]) -> Route {
    Route { path, methods: &["POST"], query, body }
}

/// All of them but what has no end (`/{kind}/events`).
pub const ROUTES: &[Route] = &[
    get("/", &[]),
    get("/livez", &[]),
    get("/readyz", &[]),
    get("/metrics", &[]),
    get("/formats", &[]),
    post("/user/register", &[], &[Field("username", Text), Field("password", Text), Field("role", ROLES)]),
    Route {
        path: "/user/{name}",
        methods: &["GET", "PATCH", "PUT", "DELETE"],
        query: &[],
        body: &[
            Field("password", Text),
            Field("role", ROLES),
            Field("disabled", Switch),
            Field("username", Text),
        ],
    },
    Route {
        path: "/user/{name}/tokens",
        methods: &["GET", "POST"],
        query: &[],
        body: &[Field("name", Text), Field("role", ROLES), Field("expires", Time)],
    },
    Route { path: "/user/{name}/tokens/{token}", methods: &["DELETE"], query: &[], body: &[] },
    get("/users", &[]),
    get("/requests/{id}", &[]),
    post("/admin/init", &[], &[Field("members", Text)]),
    get("/admin/formation", &[]),
    get("/admin/status", &[]),
    post("/admin/snapshot", &[], &[Field("force", Switch)]),
    post("/admin/leader", &[], &[Field("to", Text), Field("id", Text)]),
    Route {
        path: "/admin/members",
        methods: &["GET", "POST"],
        query: &[],
        body: &[Field("join_key", Text), Field("address", Text), Field("learner", Switch)],
    },
    Route { path: "/admin/members/{id}", methods: &["DELETE"], query: &[], body: &[] },
    post("/admin/members/{id}/promote", &[], &[]),
    get(
        "/admin/audit",
        &[
            Field("since", Index),
            Field("account", Text),
            Field("action", Text),
            Field("limit", Number),
            Field("format", FORMATS),
        ],
    ),
    post(
        "/admin/undo",
        &[],
        &[
            Field("account", Text),
            Field("source", Text),
            Field("import", Text),
            Field("since", Index),
            Field("dry_run", Switch),
        ],
    ),
    Route {
        path: "/admin/settings",
        methods: &["GET", "PUT"],
        query: &[],
        body: &[
            Field("allow_private", Switch),
            Field("widest_v4", Number),
            Field("widest_v6", Number),
            Field("sensor_widest_v4", Number),
            Field("sensor_widest_v6", Number),
            Field("default_ttl", Text),
            Field("sensor_entries_max", Number),
            Field("growth_brake", Text),
            Field("replace_dead_after_seconds", Number),
        ],
    },
    get("/admin/feeds", &[]),
    Route {
        path: "/admin/feeds/{name}",
        methods: &["GET", "PUT", "DELETE"],
        query: &[],
        body: &[
            Field("kind", KINDS),
            Field("query", OneOf(&["limit=1", "limit=x", "fields=value&format=csv", "%00", "tag=a&tag=b"])),
            Field("format", FORMATS),
            Field("description", Text),
            Field("freeze_percent", Number),
        ],
    },
    post("/admin/feeds/{name}/publish", &[], &[]),
    get("/feed/{file}", &FRESH),
    get("/feed/{token}/{file}", &FRESH),
    get("/admin/hooks", &[]),
    Route {
        path: "/admin/hooks/{name}",
        methods: &["GET", "PUT", "DELETE"],
        query: &[],
        body: &[
            Field("kind", KINDS),
            Field("value", OneOf(&["/ip", "/a/*/b", "192.0.2.1", "/~2", "/"])),
            Field("comment", Text),
            Field("source", Text),
            Field("tags", Text),
            Field("ttl", Duration),
            Field("filter", Text),
        ],
    },
    post("/hook/{name}", &[Field("dry_run", Switch)], REPORT),
    get("/admin/imports", &[]),
    Route {
        path: "/admin/imports/{name}",
        methods: &["GET", "PUT", "DELETE"],
        query: &[],
        body: &[
            // Of `.invalid` there is no server: nothing is fetched.
            Field("url", OneOf(&["https://feeds.invalid/list", "ftp://feeds.invalid/list", "list"])),
            Field("file", Text),
            Field("format", OneOf(&["plain", "csv", "drop-json", "pdf"])),
            Field("column", Text),
            Field("kind", KINDS),
            Field("label", Text),
            Field("tags", Text),
            Field("ttl", Duration),
            Field("every", Duration),
            Field("allowed_growth_percent", Number),
            Field("allowed_shrink_percent", Number),
            Field("values_max", Number),
        ],
    },
    post("/admin/imports/{name}/run", &[], &[]),
    post("/admin/imports/{name}/go-on", &[], &[]),
    get("/admin/backup", &[]),
    post("/allow/add", &[Field("kind", KINDS), Field("comment", Text), Field("dry_run", Switch)], ALLOW),
    post("/allow/delete", &[Field("kind", KINDS), Field("dry_run", Switch)], ALLOW),
    get("/allow/all", &[FRESH[0], FRESH[1], Field("format", FORMATS), Field("kind", KINDS)]),
    get("/allow/{*value}", READ),
    post(
        "/api/v2/report",
        &[Field("ip", Value)],
        &[Field("ip", Value), Field("categories", Number), Field("comment", Text), Field("timestamp", Time)],
    ),
    get(
        "/api/v2/check",
        &[Field("ipAddress", Value), Field("maxAgeInDays", Number), Field("verbose", Switch)],
    ),
    get(
        "/api/v2/blacklist",
        &[
            Field("confidenceMinimum", Number),
            Field("limit", Number),
            Field("plaintext", Switch),
            Field("onlyCountries", Text),
            Field("ipVersion", OneOf(&["4", "6", "7"])),
        ],
    ),
    post("/{kind}/add", WRITE, REPORT),
    post("/{kind}/sighting", WRITE, REPORT),
    post("/{kind}/delete", WRITE, REPORT),
    get("/{kind}/all", LIST),
    get("/{kind}/changes", SINCE),
    Route {
        path: "/{kind}/{*value}",
        methods: &["GET", "PATCH"],
        query: LIST,
        body: &[Field("comment", Text), Field("tags", Text), Field("expires", Time), Field("ttl", Duration)],
    },
    get("/admin/consumers", &[]),
    get("/v1/decisions", BOUNCER),
    get("/v1/decisions/stream", BOUNCER),
    post("/v1/usage-metrics", &[], METRICS),
    get("/crowdsec/v1/decisions/stream", BOUNCER),
    get("/crowdsec/ranges/v1/decisions", BOUNCER),
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::ROUTES;
    use crate::workspace::workspace;

    #[test]
    fn no_route_is_missing() {
        let source = fs::read_to_string(workspace().join("api/src/routes.rs")).expect("the routes");
        let paths = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
        let missing: Vec<&str> = paths
            .filter(|path| *path != "/{kind}/events" && ROUTES.iter().all(|route| route.path != *path))
            .collect();
        assert_eq!(missing, Vec::<&str>::new());
    }
}
