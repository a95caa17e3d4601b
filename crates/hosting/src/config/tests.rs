use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use signing::s3::Bucket;

use crate::config::*;

fn complete_variables() -> HashMap<&'static str, &'static str> {
    HashMap::from([
        ("ENV", "dev"),
        ("PENNSIEVE_DOMAIN", "example.org"),
        ("AWS_REGION", "us-east-1"),
        ("RDS_PROXY_ENDPOINT", "proxy.example.org"),
        ("VIEWER_ASSETS_BUCKET", "viewer-assets"),
        ("CLOUDFRONT_DISTRIBUTION_DOMAIN", "d111111abcdef8.cloudfront.net"),
        ("CLOUDFRONT_KEY_ID", "K2JCJMDEHXQW5F"),
        ("CLOUDFRONT_PRIVATE_KEY_SSM_PARAM", "/dev/packages-service/cloudfront/private-key"),
        ("RESTORE_PACKAGE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/1/restore"),
        ("DELETE_RECORD_DYNAMODB_TABLE_NAME", "records"),
        ("JOBS_QUEUE_ID", "https://sqs.us-east-1.amazonaws.com/1/jobs"),
        ("USER_POOL", "us-east-1_people"),
        ("USER_CLIENT", "people"),
        ("TOKEN_POOL", "us-east-1_keys"),
        ("TOKEN_CLIENT", "keys"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ])
}

fn with_changes(changes: &[(&'static str, &'static str)]) -> HashMap<&'static str, &'static str> {
    let mut variables = complete_variables();
    variables.extend(changes.iter().copied());
    variables
}

fn service(host: Host, variables: &HashMap<&'static str, &'static str>) -> Result<ServiceConfig, String> {
    let lookup = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    ServiceConfig::read(host, &lookup).map_err(|error| error.to_string())
}

#[test]
fn reads_a_complete_environment() {
    let service = service(Host::Lambda, &complete_variables()).unwrap();
    assert_eq!(service.platform.database.host, "proxy.example.org");
    assert_eq!(service.platform.database.port, 5432);
    assert_eq!(service.platform.database.user, "dev_rds_proxy_user");
    assert_eq!(service.platform.database.name, "pennsieve_postgres");
    assert!(service.platform.database.tls && service.platform.database.password.is_none());
    assert_eq!(service.platform.region.as_str(), "us-east-1");
    assert_eq!(service.cdn.origin, "https://d111111abcdef8.cloudfront.net");
    assert_eq!(service.proxy_buckets, [Bucket::new("viewer-assets").unwrap()]);
    assert_eq!(service.platform.log_filter, "info");
}

#[test]
fn reports_all_errors_at_once_without_values() {
    let missing = service(Host::Lambda, &HashMap::new()).unwrap_err();
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "CLOUDFRONT_DISTRIBUTION_DOMAIN",
        "CLOUDFRONT_KEY_ID",
        "CLOUDFRONT_PRIVATE_KEY_SSM_PARAM (or CLOUDFRONT_PRIVATE_KEY_FILE)",
        "ENV",
        "PENNSIEVE_DOMAIN",
        "RDS_PROXY_ENDPOINT (or POSTGRES_HOST)",
        "REGION (or AWS_REGION)",
        "RESTORE_PACKAGE_QUEUE_URL",
        "VIEWER_ASSETS_BUCKET",
    ] {
        assert!(missing.contains(name), "{name}: {missing}");
    }
    let invalid = with_changes(&[
        ("VIEWER_ASSETS_BUCKET", "HUNTER2"),
        ("CLOUDFRONT_HASH_ALGORITHM", "hunter2"),
        ("RDS_PROXY_ENDPOINT", "hunter2:x"),
        ("POSTGRES_CONNECTIONS", "0"),
        ("AWS_ENDPOINT_URL", "hunter2"),
        ("AWS_ENDPOINT_URL_SQS", "http://"),
        ("AWS_ENDPOINT_URL_SSM", "https://hunter2 "),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://hunter 2/"),
        ("ENV", " "),
    ]);
    let invalid = service(Host::Lambda, &invalid).unwrap_err();
    for name in [
        "not set: ENV;",
        "AWS_ENDPOINT_URL,",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_SQS",
        "CLOUDFRONT_HASH_ALGORITHM",
        "POSTGRES_CONNECTIONS",
        "RDS_PROXY_ENDPOINT",
        "VIEWER_ASSETS_BUCKET",
    ] {
        assert!(invalid.contains(name), "{name}: {invalid}");
    }
    assert!(!invalid.to_lowercase().contains("hunter2") && !invalid.contains("POSTGRES_HOST"), "{invalid}");
}

#[test]
fn delete_records_and_changelog_are_turned_off_by_none() {
    let read = |variables: &HashMap<&'static str, &'static str>| {
        RestoreConfig::read(Host::Lambda, &|name: &str| variables.get(name).map(|value| (*value).to_owned()))
    };
    let restore = read(&with_changes(&[("DELETE_RECORD_DYNAMODB_TABLE_NAME", "none")])).unwrap();
    assert_eq!(restore.delete_record_table, None);
    assert!(restore.changelog_queue_url.is_some());
    let mut variables = complete_variables();
    variables.remove("JOBS_QUEUE_ID");
    assert!(read(&variables).unwrap_err().to_string().contains("not set: JOBS_QUEUE_ID"));
}

#[test]
fn a_server_needs_no_queue_no_credentials_and_no_proxy() {
    let mut variables = with_changes(&[
        ("POSTGRES_HOST", "db.example.org"),
        ("POSTGRES_PASSWORD", "hunter2"),
        ("POSTGRES_PORT", "6432"),
        ("CLOUDFRONT_PRIVATE_KEY_FILE", "/etc/key.pem"),
        ("PROXY_ALLOWED_BUCKETS", " a-bucket , ,b-bucket"),
        ("AWS_XRAY_DAEMON_ADDRESS", "tcp:127.0.0.1:2001 udp:127.0.0.1:2000"),
    ]);
    for name in [
        "RDS_PROXY_ENDPOINT",
        "RESTORE_PACKAGE_QUEUE_URL",
        "AWS_ACCESS_KEY_ID",
        "CLOUDFRONT_PRIVATE_KEY_SSM_PARAM",
    ] {
        variables.remove(name);
    }
    let service = service(Host::Server, &variables).unwrap();
    assert!(service.restore_queue_url.is_none() && service.platform.credentials.is_none());
    assert!(service.platform.database.tls, "encryption must be switched off by name");
    assert_eq!(service.platform.database.port, 6432);
    assert_eq!(service.proxy_buckets.len(), 2);
    assert!(matches!(service.cdn.key, KeyLocation::File(_)));
    assert_eq!(service.platform.xray_address.as_deref(), Some("127.0.0.1:2000"));
    assert!(!format!("{service:?}").contains("hunter2"), "secrets do not print");
}

#[test]
fn statements_are_prepared_only_where_no_pooler_shares_sessions() {
    let prepared = |changes: &[(&'static str, &'static str)]| {
        let database = service(Host::Server, &with_changes(changes))?.platform.database;
        Ok::<_, String>(database.prepared_statements)
    };
    assert_eq!(prepared(&[]), Ok(false), "RDS_PROXY_ENDPOINT");
    assert_eq!(prepared(&[("POSTGRES_PREPARED_STATEMENTS", "on")]), Ok(false), "RDS_PROXY_ENDPOINT");
    let direct = |more: &[(&'static str, &'static str)]| {
        let direct =
            [("RDS_PROXY_ENDPOINT", ""), ("POSTGRES_HOST", "db.example.org"), ("POSTGRES_PASSWORD", "a")];
        prepared(&[&direct, more].concat())
    };
    assert_eq!(direct(&[]), Ok(true));
    assert_eq!(direct(&[("POSTGRES_PREPARED_STATEMENTS", "off")]), Ok(false));
    assert!(direct(&[("POSTGRES_PREPARED_STATEMENTS", "true")]).is_err());
    for host in [
        "our.proxy-abcdefghijkl.us-east-1.rds.amazonaws.com",
        "read.endpoint.proxy-abc.cn-north-1.rds.amazonaws.com.cn",
    ] {
        assert_eq!(direct(&[("POSTGRES_HOST", host)]), Ok(false), "{host}");
    }
    assert_eq!(direct(&[("POSTGRES_HOST", "our.abcdefghijkl.us-east-1.rds.amazonaws.com")]), Ok(true));
}

#[test]
fn a_server_that_runs_restores_needs_their_variables() {
    let read = |variables: &HashMap<&'static str, &'static str>| {
        ServerConfig::read(&|name: &str| variables.get(name).map(|value| (*value).to_owned()))
    };
    assert!(read(&complete_variables()).unwrap().restore.is_none());
    let mut variables = complete_variables();
    for name in ["RESTORE_PACKAGE_QUEUE_URL", "JOBS_QUEUE_ID", "TOKEN_POOL"] {
        variables.remove(name);
    }
    assert!(read(&variables).unwrap_err().to_string().contains("not set: JOBS_QUEUE_ID, TOKEN_POOL"));
    variables.extend([("JOBS_QUEUE_ID", "none"), ("TOKEN_POOL", "us-east-1_keys")]);
    assert!(read(&variables).unwrap().restore.unwrap().changelog_queue_url.is_none());
}

#[test]
fn the_common_endpoint_applies_to_services_without_their_own() {
    let variables = with_changes(&[
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000"),
    ]);
    let endpoints = service(Host::Lambda, &variables).unwrap().platform.endpoints;
    assert_eq!(endpoints.sqs.as_deref(), Some("http://127.0.0.1:4566"));
    assert_eq!(endpoints.dynamodb.as_deref(), Some("http://127.0.0.1:8000"));
    assert!(endpoints.s3.is_some());
}

#[test]
fn the_proxy_allows_the_services_own_buckets_by_default() {
    let own = service(Host::Lambda, &with_changes(&[("STORAGE_BUCKETS", "one, two")])).unwrap().proxy_buckets;
    assert_eq!(own, ["viewer-assets", "one", "two"].map(|name| Bucket::new(name).unwrap()));
    let both = [("STORAGE_BUCKETS", "one"), ("PROXY_ALLOWED_BUCKETS", "three")];
    let listed = service(Host::Lambda, &with_changes(&both)).unwrap().proxy_buckets;
    assert_eq!(listed, [Bucket::new("three").unwrap()]);
    assert!(service(Host::Lambda, &with_changes(&[("STORAGE_BUCKETS", "UPPER")])).is_err());
}

#[test]
fn a_list_of_only_commas_allows_no_proxy_bucket() {
    assert_eq!(
        service(Host::Lambda, &with_changes(&[("PROXY_ALLOWED_BUCKETS", ",")])).unwrap().proxy_buckets,
        []
    );
    assert_eq!(
        service(Host::Lambda, &with_changes(&[("PROXY_ALLOWED_BUCKETS", "")])).unwrap().proxy_buckets.len(),
        1
    );
}

#[test]
fn the_table_of_buckets_is_read_from_a_variable_or_a_file() {
    let inline = r#"[{"bucket": "published-*", "region": "us-west-2", "proxy": true}]"#;
    let buckets = service(Host::Lambda, &with_changes(&[("BUCKETS", inline)])).unwrap().platform.buckets;
    assert!(buckets.is_proxied(&Bucket::new("published-1").unwrap()));
    assert!(service(Host::Lambda, &complete_variables()).unwrap().platform.buckets.is_empty());

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("buckets.json");
    std::fs::write(&path, inline).unwrap();
    let path: &'static str = Box::leak(path.display().to_string().into_boxed_str());
    let from_file = service(Host::Lambda, &with_changes(&[("BUCKETS", path)])).unwrap().platform.buckets;
    assert_eq!(from_file, buckets);
    let missing = service(Host::Lambda, &with_changes(&[("BUCKETS", "/no/such/file")])).unwrap_err();
    assert!(missing.contains("BUCKETS (the file cannot be read: entity not found)"), "{missing}");
}

#[test]
fn the_map_of_external_buckets_is_understood() {
    let map = r#"{"publish-one": "arn:aws:iam::123456789012:role/reader"}"#;
    let platform =
        service(Host::Lambda, &with_changes(&[("EXTERNAL_BUCKETS_ROLE_MAP", map)])).unwrap().platform;
    assert!(platform.buckets.has_roles() && platform.buckets.len() == 1);
    let conflict =
        [("EXTERNAL_BUCKETS_ROLE_MAP", map), ("BUCKETS", r#"[{"bucket": "publish-one", "proxy": true}]"#)];
    let error = service(Host::Lambda, &with_changes(&conflict)).unwrap_err();
    let reason = "EXTERNAL_BUCKETS_ROLE_MAP (entry 1: there is another entry for the same bucket)";
    assert!(error.contains(reason), "{error}");
}

#[test]
fn a_wrong_entry_of_the_table_is_named() {
    for (value, reason) in [
        (
            r#"[{"bucket": "abc"}, {"bucket": "xyz", "region": "hunter2"}]"#,
            "entry 2: region: expected a region",
        ),
        (
            r#"[{"bucket": "abc", "endpoint": "http://hunter2/"}]"#,
            "entry 1: endpoint: http:// is only for this",
        ),
        ("[hunter2", "expected a JSON array of objects"),
        // Our region is in another partition.
        (r#"[{"bucket": "abc", "region": "cn-north-1"}]"#, "entry 1: region: it is in another partition"),
    ] {
        let error = service(Host::Lambda, &with_changes(&[("BUCKETS", value)])).unwrap_err();
        assert!(error.contains(&format!("BUCKETS ({reason}")) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn the_page_has_the_table() {
    let page = include_str!("../../../../docs/configuration.md");
    let (_, rest) = page.split_once("<!-- variables:begin -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- variables:end -->").unwrap();
    assert_eq!(table, markdown_table(), "run make configuration");
}

/// The names that a part looks up.
fn looked_up<T>(
    variables: &HashMap<&'static str, &'static str>,
    read: impl Fn(VariableLookup<'_>) -> T,
) -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    read(&|name: &str| {
        names.borrow_mut().insert(name.to_owned());
        variables.get(name).map(|value| (*value).to_owned())
    });
    names.into_inner()
}

#[test]
fn each_variable_is_read_by_the_hosts_that_the_table_names() {
    let password = with_changes(&[
        ("POSTGRES_HOST", "db.example.org"),
        ("RDS_PROXY_ENDPOINT", ""),
        ("RESTORE_PACKAGE_QUEUE_URL", ""),
    ]);
    for (host, names) in [
        ("service", looked_up(&complete_variables(), |lookup| ServiceConfig::read(Host::Lambda, lookup))),
        ("restore", looked_up(&complete_variables(), |lookup| RestoreConfig::read(Host::Lambda, lookup))),
        (
            "authorizer",
            looked_up(&complete_variables(), |lookup| AuthorizeConfig::read(Host::Lambda, lookup)),
        ),
        ("serve", looked_up(&password, ServerConfig::read)),
    ] {
        for variable in VARIABLES {
            let is_reader =
                variable.readers == "all" || variable.readers.split(", ").any(|reader| reader == host);
            assert!(is_reader || !names.contains(variable.name), "{host} reads {}", variable.name);
            // A server with a password reads all.
            assert!(names.contains(variable.name) || host != "serve", "nothing reads {}", variable.name);
        }
    }
}

fn server(changes: &[(&'static str, &'static str)]) -> Result<ServerConfig, String> {
    let variables = with_changes(changes);
    let lookup = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    ServerConfig::read(&lookup).map_err(|error| error.to_string())
}

#[test]
fn endpoints_may_be_ipv6_addresses() {
    let config = server(&[
        ("AWS_ENDPOINT_URL", "http://[::1]:4566/"),
        ("AWS_ENDPOINT_URL_S3", "http://[::1]:9000"),
        ("CLOUDFRONT_DISTRIBUTION_DOMAIN", "http://[::1]:9001"),
        ("RDS_PROXY_ENDPOINT", "[fd00::1]:6432"),
        ("LISTEN_ADDRESS", "[::1]:8080"),
        ("AWS_XRAY_DAEMON_ADDRESS", "[::1]:2000"),
    ])
    .unwrap();
    let platform = &config.service.platform;
    assert_eq!(platform.endpoints.s3.as_ref().unwrap().to_string(), "http://[::1]:9000");
    assert_eq!(platform.endpoints.sqs.as_deref(), Some("http://[::1]:4566"));
    assert_eq!(config.service.cdn.origin, "http://[::1]:9001");
    assert_eq!((platform.database.host.as_str(), platform.database.port), ("fd00::1", 6432));
    assert_eq!(platform.xray_address.as_deref(), Some("[::1]:2000"));
    assert!(config.listen.is_ipv6());
    for (host, database) in
        [("::1", "::1"), ("[::1]", "::1"), ("db", "db"), ("/run/postgresql", "/run/postgresql")]
    {
        let password = [("RDS_PROXY_ENDPOINT", ""), ("POSTGRES_HOST", host), ("POSTGRES_PASSWORD", "x")];
        assert_eq!(server(&password).unwrap().service.platform.database.host, database);
    }
    let proxy = [("RDS_PROXY_ENDPOINT", "[fd00::1]")];
    assert_eq!(server(&proxy).unwrap().service.platform.database.port, 5432);
}

#[test]
fn connections_of_a_server_have_defaults_and_bounds() {
    let blank = [("LISTEN_ADDRESS", " "), ("MAX_CONNECTIONS", ""), ("IDLE_TIMEOUT_SECONDS", " ")];
    let config = server(&blank).unwrap();
    let connections = config.connections;
    assert_eq!(connections.request, api::RequestLimits::default(), "as in a function");
    // Longer than the idle timeouts of a load balancer and of nginx, which are 60 seconds.
    assert_eq!((connections.idle.as_secs(), connections.connections), (75, None));
    assert_eq!((config.listen.port(), config.path_prefix.as_str()), (8080, "/packages"));

    let config =
        server(&[("API_PATH_PREFIX", "/"), ("MAX_CONNECTIONS", "7"), ("WRITE_TIMEOUT_SECONDS", "1")]);
    let config = config.unwrap();
    assert_eq!((config.path_prefix.as_str(), config.connections.write.as_secs()), ("", 1));
    assert_eq!(config.connections.connections.map(usize::from), Some(7));

    let long = "99999999999999999999999";
    for name in [
        "MAX_CONNECTIONS",
        "IDLE_TIMEOUT_SECONDS",
        "REQUEST_TIMEOUT_SECONDS",
        "SHUTDOWN_TIMEOUT_SECONDS",
        "POSTGRES_CONNECTIONS",
        "RESTORE_STRAY_HOURS",
        "LINK_WINDOW_SECONDS",
    ] {
        // Also one that is a number of 64 bits, which would fail later.
        for value in [long, "18446744073709551615", "-1", "+300", "0x10", "1.5"] {
            let changes = [(name, value), ("RESTORE_PACKAGE_QUEUE_URL", "")];
            assert!(
                server(&changes).unwrap_err().contains(&format!("invalid value: {name};")),
                "{name} {value}"
            );
        }
    }
    for address in ["127.0.0.1:99999999999", "127.0.0.1", "::1:80", "localhost:80"] {
        assert!(server(&[("LISTEN_ADDRESS", address)]).is_err(), "{address}");
    }
    for prefix in
        ["packages", "/packages/", "//", "/a//b", "/..", "/a/./b", "/{name}", "/a b", "/%61", "/a?b", "/*a"]
    {
        assert!(server(&[("API_PATH_PREFIX", prefix)]).is_err(), "{prefix}");
    }
}

#[test]
fn the_console_is_off_and_has_no_page_for_operators_unless_something_is_said() {
    let console = server(&[("CONSOLE_OPERATOR_TOKEN", " "), ("CONSOLE", "")]).unwrap().console;
    assert!(!console.is_on && console.operator_token.is_none() && console.login.is_none());

    let token = "0123456789abcdef0123456789abcdef";
    let console = [
        ("CONSOLE", "on"),
        ("CONSOLE_OPERATOR_TOKEN", token),
        ("USER_POOL_DOMAIN", "people.auth.us-east-1.amazoncognito.com"),
    ];
    let console = server(&console).unwrap().console;
    assert!(console.is_on);
    assert_eq!(console.operator_token.as_ref().map(|token| token.as_str()), Some(token));
    let login = console.login.as_ref().unwrap();
    assert_eq!(login.origin, "https://people.auth.us-east-1.amazoncognito.com");
    assert_eq!(login.client_id, "people", "USER_CLIENT");
    assert!(!format!("{console:?}").contains(token), "secrets do not print");

    for (prefix, expected) in [
        ("/packages", true),
        ("/consoles", true),
        ("/data/console", true),
        ("/", false),
        ("/console/v2", false),
    ] {
        assert_eq!(leaves_console_paths(&PathPrefix::new(prefix).unwrap()), expected, "{prefix}");
    }

    let long: &'static str = Box::leak("a".repeat(257).into_boxed_str());
    for (name, value) in [
        ("CONSOLE", "true"),
        ("CONSOLE_OPERATOR_TOKEN", &token[1..]),
        ("CONSOLE_OPERATOR_TOKEN", "0123456789abcdef 0123456789abcdef"),
        ("CONSOLE_OPERATOR_TOKEN", long),
        ("USER_POOL_DOMAIN", "https://people.example.org/login"),
    ] {
        assert!(
            server(&[(name, value)]).unwrap_err().contains(&format!("invalid value: {name};")),
            "{name} {value}"
        );
    }
}

#[test]
fn requirements_name_variables_that_exist() {
    for variable in VARIABLES {
        if let Requirement::RequiredUnless(other) = variable.requirement {
            assert!(VARIABLES.iter().any(|known| known.name == other), "{}: {other}", variable.name);
        }
    }
}

#[test]
fn defaults_are_valid() {
    let service = service(Host::Server, &complete_variables()).unwrap();
    assert_eq!(service.platform.database.connections, 16);
    let restore = RestoreConfig::read(Host::Lambda, &|name| {
        complete_variables().get(name).map(|&value| value.to_owned())
    });
    let restore = restore.unwrap();
    assert_eq!(restore.platform.database.connections, 2);
    assert_eq!(restore.stray_max_age, Duration::from_hours(24));
}
