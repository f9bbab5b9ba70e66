"""prometheus.yml, a rule a line: what is written, and a piece of the error, or None where it is taken.
The third value is the reason where Debian's promtool (2.42) sees it otherwise than Prometheus 3.14."""
NEW = "came after 2.42"
NOT_DEBIAN = "Debian builds without it"
UTF8 = "names of labels are UTF-8 since 3.0"
SINCE_43 = "checked since 2.43"


def job(text):
    return "scrape_configs: [{job_name: a, " + text + "}]\n"


def rule(text):
    return job("relabel_configs: [{" + text + "}]")


def group(labels):
    return job("static_configs: [{targets: [a], labels: {" + labels + "}}]")


def sd(kind, text):
    return job(kind + "_sd_configs: [{" + text + "}]")


def kube(text):
    return sd("kubernetes", text)


def tls(text):
    return job("tls_config: {" + text + "}")


def otlp(text):
    return "otlp: {" + text + "}\n"


def write(text):
    return "remote_write: [{" + text + "}]\n"


def url(text):
    return write(f'url: "{text}"')


BEARERS = "at most one of bearer_token & bearer_token_file must be configured"
THREE = "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"
BASIC = "basic_auth: {username: u, password: p}"
ONLY = "labelkeep action requires only 'regex', and no other fields"
ONLY_DROP = ONLY.replace("keep", "drop")
EQUAL = "action requires only 'source_labels' and `target_label`, and no other fields"
RESERVED = "x-prometheus-remote-write-version is a reserved header. It must not be changed"
PROTOS = "supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0]"
SCALEWAY = "project_id: 11111111-1111-1111-1111-111111111112, access_key: SCWAAAAAAAAAAAAAAAAA"
SCALEWAY_ALL = SCALEWAY + ", role: instance, secret_key: 21111111-1111-1111-1111-111111111111"
OVH = "application_key: k, application_secret: s, consumer_key: c"
AZURE = "subscription_id: s, tenant_id: t, client_id: i, client_secret: c"
MARATHON = "servers: ['https://m:443']"
OPENSTACK = "role: instance, region: r"
TRITON = "account: a, dns_suffix: d, endpoint: e"
UYUNI = "server: 'https://u', username: u, password: p"

CASES = [
    # ---- Addresses that relabelling leaves as they are, and others ----
    ("alerting: {alertmanagers: [{relabel_configs: [{source_labels: [__address__], target_label: __param_target}], static_configs: [{targets: ['http://bad']}]}]}\n",
     '"http://bad" is not a valid hostname'),
    ("alerting: {alertmanagers: [{relabel_configs: [{target_label: __address__, replacement: good}], static_configs: [{targets: ['http://bad']}]}]}\n", None),
    # ---- Jobs ----
    ("scrape_configs: [{metrics_path: /m}]\n", "job_name is empty"),
    ("scrape_configs: [{job_name: a}, {job_name: a}]\n", 'found multiple scrape configs with job name "a"'),
    ("scrape_configs:\n-\n", "empty or null scrape config section"),
    ("scrape_configs: []\nscrape_configs: []\n", 'key "scrape_configs" already set in map'),
    ("global: {scrape_timeout: 20s, scrape_interval: 10s}\n", "global scrape timeout greater than scrape interval"),
    ("global: {scrape_timeout: 1h, scrape_interval: 1h}\n", None),
    ("global: {scrape_interval: 5s}\n" + job("scrape_interval: 50s"), None),
    (job("scrape_interval: 1s, scrape_timeout: 2s"), 'scrape timeout greater than scrape interval for scrape config with job name "a"'),
    (job("body_size_limit: 100"), "units: unknown unit  in 100"),
    (job("body_size_limit: 100MB, sample_limit: 1, target_limit: 1, label_limit: 1"), None),
    (job("consult_sd_configs: []"), "field consult_sd_configs not found in type config.ScrapeConfig"),
    (job("static_configs: [{targets: ['http://bad']}]"), '"http://bad" is not a valid hostname'),
    (job("static_configs: [{targets: ['http://ok']}], relabel_configs: [{target_label: __address__, replacement: b}]"), None),
    ("scrape_configs: [{job_name: a, static_configs: [\n]}]\n", None),
    (job("static_configs: [{targets: [a]}, {targets: [b, '']}]"), "instance 1 in group 1: no address"),
    (job("static_configs: [{targets: ['']}], relabel_configs: [{target_label: __address__, replacement: h}]"), None),
    (job("static_configs: [{targets: [a]}], relabel_configs: [{target_label: __scrape_interval__, replacement: x}]"),
     'instance 0 in group 0: error parsing scrape interval: not a valid duration string: "x"'),
    (job("static_configs: [{targets: [a]}], relabel_configs: [{target_label: __scrape_timeout__, replacement: 1h}]"),
     'instance 0 in group 0: scrape timeout cannot be greater than scrape interval ("1h" > "1m")'),
    (job("static_configs: [{targets: a}]"), "must be a list"),
    # ---- Labels of target groups: 3.0 took the old alphabet of names away, what is left to refuse is no name at all ----
    *[(group(f"{n}: v"), None, UTF8) for n in ("not:valid", "with-hyphen", "'1st'", "\u6e2c\u8a66")],
    *[("global: {metric_name_validation_scheme: legacy}\n" + group(f"{n}: v"), None, UTF8) for n in ("not:valid", "with-hyphen")],
    *[(group(f"ok: v, {n}: v"), f'field "labels": "{shown}" is not a valid label name') for n, shown in
      (("? !!binary '/w=='", "\\xff"), ("''", ""), ("? !!binary 'bm90/zp2YWxpZA=='", "not\\xff:valid"))],
    (group("ok: !!binary '/w=='"), 'instance 0 in group 0: invalid label value for "ok": "\\xff"'),
    (group("a: v, a: w"), 'key "a" already set in map'),
    (group("a: [v]"), "must be text"),
    ("targets: [a]\nlabels: {a: b}\n", "field targets not found in type config.plain"),
    # ---- What scalars mean ----
    *[(job(f"honor_labels: {v}"), None) for v in ("yes", "On", "y", "N", "FALSE", "~", "Null")],
    *[(job(f"honor_labels: {v}"), "must be true or false") for v in ("'true'", "1", "tRue", "!!str true")],
    *[(job(f"sample_limit: {v}"), None) for v in
      ("0x10", "1_000", "3.0", "1e3", "010", "0o17", "0b11", "+3", "08", "~", "NULL", "!!int '3'")],
    *[(job(f"sample_limit: {v}"), "must be a whole number") for v in
      ("'3'", "-1", "08x", "0xg", "3x", "99999999999999999999", "!!str 3")],
    *[(job(f"body_size_limit: {v}"), None) for v in ("0", "1.5MB", "1MB2KB", "10GiB")],
    *[(job(f"body_size_limit: {v}"), f"units: unknown unit {u} in {v}") for v, u in (("1mb", "mb"), ("1M", "M"), ("7", ""))],
    (job("body_size_limit: ''"), "units: invalid"),
    (job("body_size_limit: 99999999EB"), "size out of range"),
    ('scrape_configs: [{job_name: !!binary "YQ=="}]\n', None),
    *[(f'scrape_configs: [{{job_name: !!binary "{v}"}}]\n', "!!binary value contains invalid base64 data")
      for v in ("YQ", "Y Q==", "YQ=a", "Y===", "=YQ=")],
    ("scrape_configs:\n- job_name: a\n  static_configs:\n  -\n", "empty or null section in static_configs"),
    (job("static_configs: [{target: [a]}]"), "field target not found in type"),
    (job("static_configs: [{targets: [{a: b}]}]"), "must be text, not a map"),
    ("global: {nonexistent: 1}\n", "field nonexistent not found in type config.plain"),
    ("global:\n", None),
    ("", None),
    ("# nothing but a comment\n", None),
    ("rule_files: ['my/*/*.rules']\n", "invalid rule file path"),
    ("rule_files: [/abs/first.rules, 'my/*.rules']\n", None),
    ("scrape_config_files: ['jobs/*/*']\n", 'invalid scrape config file path "jobs/*/*"', NEW),
    (job("enable_compression: false"), None, NEW),
    # ---- Protocols, names, histograms ----
    (job("scrape_protocols: [prometheusproto]"), "unknown scrape protocol prometheusproto, " + PROTOS, NEW),
    (job("scrape_protocols: [OpenMetricsText1.0.0, PrometheusProto, OpenMetricsText1.0.0]"),
     "duplicated protocol in scrape_protocols", NEW),
    (job("scrape_protocols: []"), "scrape_protocols cannot be empty", NEW),
    (job("fallback_scrape_protocol: prometheusproto"), "field \"fallback_scrape_protocol\": unknown scrape protocol prometheusproto, " + PROTOS, NEW),
    (job("fallback_scrape_protocol: [OpenMetricsText1.0.0, PrometheusText0.0.4]"), "fallback_scrape_protocol", NEW),
    (job("metric_name_validation_scheme: legacy, metric_name_escaping_scheme: allow-utf-8"), "utf8 metric names requested but validation scheme is not set to UTF8", NEW),
    (job("metric_name_validation_scheme: legacy, metric_name_escaping_scheme: values"), None, NEW),
    (job("metric_name_validation_scheme: utf8, metric_name_escaping_scheme: dots"), None, NEW),
    (job("metric_name_validation_scheme: latin"), "latin", NEW),
    ("global: {metric_name_validation_scheme: legacy}\n" + job("metric_name_validation_scheme: utf8"), None, NEW),
    ("global: {scrape_native_histograms: true, scrape_protocols: [PrometheusText0.0.4]}\n" + job("scrape_native_histograms: false"), None, NEW),
    ("global: {always_scrape_classic_histograms: true, convert_classic_histograms_to_nhcb: true, extra_scrape_metrics: true}\n"
     + job("always_scrape_classic_histograms: false, convert_classic_histograms_to_nhcb: false, extra_scrape_metrics: false"), None, NEW),
    # ---- External labels ----
    ('global: {external_labels: {? !!binary "/w==" : v}}\n', "is not a valid label name"),
    ('global: {external_labels: {name: !!binary "/w=="}}\n', "is not a valid label value"),
    ('global: {external_labels: {name: !!binary "bmFtZQ=="}}\n', None),
    ("global: {external_labels: {a: '$HOME', b: '${HOME}', c: '$$HOME'}}\n", None),
    # ---- Relabelling ----
    (rule("source_labels: [a], regex: '(', target_label: b"), "error parsing regexp"),
    (rule("action: hashmod, target_label: b"), "relabel configuration for hashmod requires non-zero modulus"),
    (rule("action: hashmod, modulus: 8"), "relabel configuration for hashmod action requires 'target_label' value"),
    (rule("source_labels: [a]"), "relabel configuration for replace action requires 'target_label' value"),
    (rule("target_label: '${1}_x', source_labels: [a]"), None),
    (rule("action: "), "relabel action cannot be empty"),
    (rule("action: ''"), 'unknown relabel action ""'),
    (rule("action: nonsense"), 'unknown relabel action "nonsense"'),
    (rule("action: labelmap, replacement: !!binary '/w'"), "!!binary value contains invalid base64 data"),
    *[(rule(f"action: labelkeep, {f}"), ONLY) for f in
      ("source_labels: [a]", "target_label: a", "modulus: 8", "separator: x", "replacement: x")],
    *[(rule(f"action: labeldrop, {f}"), ONLY_DROP) for f in
      ("source_labels: [a]", "target_label: a", "modulus: 8", "separator: x", "replacement: x")],
    (rule("action: labelkeep, regex: a"), None),
    *[(rule(f"action: {a}, source_labels: [x]"), f"relabel configuration for {a} action requires 'target_label' value")
      for a in ("dropequal", "keepequal", "lowercase", "uppercase")],
    *[(rule(f"action: {a}, source_labels: [x], target_label: y, regex: foo"), a + " " + EQUAL)
      for a in ("dropequal", "keepequal")],
    *[(rule(f"action: {a}, source_labels: [x], target_label: y, replacement: bar"), f"'replacement' can not be set for {a} action")
      for a in ("lowercase", "uppercase")],
    *[(f"global: {{metric_name_validation_scheme: legacy}}\n" + rule(f"action: {a}, source_labels: [x], target_label: 42x"),
       f'"42x" is invalid \'target_label\' for {a} action') for a in ("lowercase", "uppercase")],
    ("scrape_configs:\n- job_name: a\n  relabel_configs:\n  -\n", "empty or null target relabeling rule"),
    ("scrape_configs:\n- job_name: a\n  metric_relabel_configs:\n  -\n", "empty or null metric relabeling rule"),
    ("alerting:\n  alert_relabel_configs:\n  -\n", "empty or null alert relabeling rule"),
    ("alerting:\n  alertmanagers:\n  - relabel_configs:\n    -\n", "empty or null Alertmanager target relabeling rule"),
    ("remote_write:\n- url: foo\n  write_relabel_configs:\n  -\n", "empty or null relabeling rule in remote write config"),
    # ---- How HTTP is spoken ----
    (job("bearer_token: a, bearer_token_file: b"), BEARERS),
    (job(f"bearer_token: a, {BASIC}"), THREE),
    (job(f"authorization: {{credentials: a}}, {BASIC}"), "at most one of basic_auth, oauth2 & authorization must be configured"),
    (job("authorization: {type: basic}"), "authorization type cannot be set to"),
    (job("basic_auth: {password: a, password_file: b}"), "at most one of basic_auth password & password_file must be configured"),
    (tls("ca: a, ca_file: b"), "at most one of ca and ca_file must be configured", NEW),
    (tls("cert_file: a"), "key"),
    (tls("min_version: TLS99"), "unknown TLS version: TLS99"),
    (job("proxy_url: 'http://a', proxy_from_environment: true"), "proxy_from_environment", NEW),
    (job("http_headers: {authorization: {values: [a]}}"), "authorization", NEW),
    (job("http_headers: {X-Mine: {values: [a], secrets: [b], files: [c]}}"), None, NEW),
    # ---- Discovery that is built in ----
    (sd("http", "url: 'localhost:1234/t'"), "URL scheme must be 'http' or 'https'"),
    (sd("http", "url: 'http://'"), "host is missing in URL"),
    (sd("http", "url: 'ftp://a'"), "URL scheme must be 'http' or 'https'"),
    (sd("http", "refresh_interval: 1m"), "URL is missing"),
    (sd("http", "url: 'http://a', bearer_token: a, bearer_token_file: b"), BEARERS, SINCE_43),
    (sd("docker", "host: 'unix:///s', include_no_network_targets: true"), "include_no_network_targets"),
    (kube("api_server: 'https://k', role: vacuum"), "unknown Kubernetes SD role \"vacuum\""),
    (kube("role: pod, bearer_token: a"), "to use custom HTTP client configuration please provide the 'api_server' URL explicitly"),
    (kube("role: pod, kubeconfig_file: k, namespaces: {own_namespace: true}"), "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously"),
    (kube("role: pod, api_server: 'https://k', namespaces: {own_namespace: true}"), "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously"),
    (kube("role: pod, api_server: 'https://k', kubeconfig_file: k"), "cannot use 'kubeconfig_file' and 'api_server' simultaneously"),
    (kube(f"role: pod, kubeconfig_file: k, {BASIC}"), "cannot use a custom HTTP client configuration together with 'kubeconfig_file'"),
    (kube("role: pod, api_server: 'https://k', bearer_token: a, bearer_token_file: b"), BEARERS),
    (kube(f"role: pod, api_server: 'https://k', bearer_token: a, {BASIC}"), THREE),
    (kube(f"role: pod, api_server: 'https://k', authorization: {{credentials: a}}, {BASIC}"), "at most one of basic_auth, oauth2 & authorization must be configured"),
    (kube("role: endpoints, selectors: [{role: node, label: a=b}]"), "endpoints role supports only pod, service, endpoints selectors"),
    (kube("role: ingress, selectors: [{role: pod, label: a=b}]"), "ingress role supports only ingress selectors"),
    (kube("role: node, selectors: [{role: pod, label: a=b}]"), "node role supports only node selectors"),
    (kube("role: pod, selectors: [{role: service, label: a=b}]"), "pod role supports only pod, node selectors"),
    (kube("role: pod, selectors: [{role: node, label: a=b}]"), None, NOT_DEBIAN),
    (kube("role: service, selectors: [{role: node, label: a=b}]"), "service role supports only service selectors"),
    (kube("role: pod, namespaces: {foo: [a]}"), "field foo not found in type kubernetes.plain"),
    (kube("role: pod, selectors: [{role: pod, label: a=b}, {role: pod, field: c=d}]"), "duplicated selector role: pod"),
    (kube("role: pod, selectors: [{role: pod, field: 'metadata.status-Running'}]"), "invalid selector: 'metadata.status-Running'; can't understand 'metadata.status-Running'"),
    (kube("role: endpoints, selectors: [{role: pod, field: 'status.phase=Running'}, {role: service, label: 'a in (b, c)'}, {role: endpoints, label: '!a'}]"), None, NOT_DEBIAN),
    *[(kube(f"role: pod, selectors: [{{role: pod, label: '{v}'}}]"), None, NOT_DEBIAN) for v in
      ("", "a", "!a", "a=b, c!=d", "a==", "x.y/a in (b,c)", "a notin (b,,)", "a>5", "a < 7", "in in (in)")],
    *[(kube(f"role: pod, selectors: [{{role: pod, label: '{v}'}}]"), "unable to parse requirement") for v in
      ("a b", "=b", "-a=b", "a=b c", "a=b,", ",a", "a in b", "a in (b", "a/b/c=d", "a=-b", "a>x", "a!b", "!", "!a=b")],
    *[(kube(f"role: pod, selectors: [{{role: pod, field: '{v}'}}]"), None, NOT_DEBIAN) for v in
      ("", "a=b", "a!=b", "a==b,c=d", "a=", "a=b\\,c", "a=b,")],
    *[(kube(f"role: pod, selectors: [{{role: pod, field: '{v}'}}]"), "selector: ") for v in
      ("a", "a=b,c", "a=b=c", "a=b\\x")],
    *[(kube(f"role: {r}, attach_metadata: {{node: true}}, selectors: [{{role: node, label: a=b}}]"), f"{r} role supports only {allowed} selectors")
      for r, allowed in (("endpoints", "pod, service, endpoints"), ("endpointslice", "pod, service, endpointslice"), ("service", "service"), ("ingress", "ingress"))],
    (kube("role: pod, kubeconfig_file: k"), None, NOT_DEBIAN),
    (kube("role: pod, api_server: ''"), None, NOT_DEBIAN),
    # ---- Discovery that is not ----
    (sd("aws", "role: moon, region: r"), 'unknown AWS SD role "moon"', NEW),
    (sd("aws", "region: r"), 'unknown AWS SD role ""', NEW),
    (sd("aws", "role: ecs, region: r, clusters: [c]"), None, NEW),
    (sd("ec2", "region: r, filters: [{name: n}]"), "EC2 SD configuration filter values cannot be empty"),
    (sd("ec2", "region: r, filters: [{name: n, values: [v]}], profile: p, port: 90"), None),
    (sd("ec2", "region: r, bearer_token: a, bearer_token_file: b"), BEARERS, SINCE_43),
    (sd("ecs", "region: r, request_concurrency: 3"), None, NEW),
    (sd("elasticache", "region: r, request_concurrency: -1"), "request_concurrency must be positive, got -1", NEW),
    (sd("lightsail", "region: r, bearer_token: a, bearer_token_file: b"), BEARERS, SINCE_43),
    (sd("lightsail", "region: r, role_arn: x"), None),
    (sd("msk", "region: r, clusters: [c]"), None, NEW),
    (sd("rds", "region: r, filters: [{name: n, values: [v]}]"), None, NEW),
    (sd("azure", AZURE), None),
    (sd("azure", AZURE.replace("client_id: i", "port: 9100")), "azure SD configuration requires a client_id"),
    (sd("azure", AZURE.replace("client_secret: c", "port: 9100")), "azure SD configuration requires a client_secret"),
    (sd("azure", AZURE.replace("subscription_id: s, ", "")), "azure SD configuration requires a subscription_id"),
    (sd("azure", AZURE.replace("tenant_id: t, ", "")), "azure SD configuration requires a tenant_id"),
    (sd("azure", AZURE + ", authentication_method: invalid"), 'unknown authentication_type "invalid". Supported types are "OAuth", "ManagedIdentity" or "SDK"'),
    (sd("azure", "subscription_id: s, authentication_method: ManagedIdentity"), None),
    (sd("azure", AZURE + f", bearer_token: a, {BASIC}"), THREE, SINCE_43),
    (sd("digitalocean", "authorization: {credentials: a}"), None),
    (sd("digitalocean", "prot: 1"), "field prot not found in type digitalocean.plain"),
    (sd("dockerswarm", "host: 'http://d', role: nodes"), None),
    (sd("dockerswarm", "role: nodes"), "host missing"),
    (sd("dockerswarm", "host: 'http://d'"), "role missing (one of: tasks, services, nodes)"),
    (sd("dockerswarm", "host: 'http://d', role: x"), "invalid role x, expected tasks, services, or nodes"),
    (sd("eureka", "server: 'http://e:8761/eureka'"), None),
    (sd("eureka", "refresh_interval: 30s"), "eureka_sd: empty or null eureka server"),
    (sd("eureka", "server: 'eureka.example.com'"), "eureka_sd: invalid eureka server URL"),
    (sd("gce", "project: p, zone: z, filter: '(a = b)'"), None),
    (sd("gce", "zone: z"), "GCE SD configuration requires a project"),
    (sd("gce", "project: p"), "GCE SD configuration requires a zone"),
    (sd("hetzner", f"role: robot, {BASIC}"), None),
    (sd("hetzner", "role: invalid"), 'unknown role "invalid"'),
    (sd("hetzner", "port: 80"), "role missing (one of: robot, hcloud)"),
    (sd("ionos", "datacenter_id: 8feda53f-15f0-447f-badf-ebe32dad2fc0"), None),
    (sd("ionos", "port: 80"), "datacenter id can't be empty"),
    (sd("kuma", "server: 'http://k:5676'"), None, NOT_DEBIAN),
    (sd("kuma", "fetch_timeout: 1m"), "kuma SD server must not be empty", NOT_DEBIAN),
    (sd("kuma", "server: 'k/x'"), "kuma SD server must not be empty and have a scheme: k/x", NOT_DEBIAN),
    (sd("linode", "authorization: {credentials: a}"), None, NOT_DEBIAN),
    (sd("marathon", MARATHON + ", auth_token: a"), None),
    (sd("marathon", "servers: []"), "marathon_sd: must contain at least one Marathon server"),
    (sd("marathon", MARATHON + ", auth_token: a, auth_token_file: b"), "marathon_sd: at most one of auth_token & auth_token_file must be configured"),
    (sd("marathon", MARATHON + f", auth_token: a, {BASIC}"), "marathon_sd: at most one of basic_auth, auth_token & auth_token_file must be configured"),
    (sd("marathon", MARATHON + ", auth_token: a, bearer_token: b"), "marathon_sd: at most one of bearer_token, bearer_token_file, auth_token & auth_token_file must be configured"),
    (sd("marathon", MARATHON + ", auth_token_file: a, authorization: {credentials: b}"), "marathon_sd: at most one of auth_token, auth_token_file & authorization must be configured"),
    (sd("nerve", "servers: [z], paths: [/a]"), None),
    (sd("nerve", "paths: [/a]"), "nerve SD config must contain at least one Zookeeper server"),
    (sd("nerve", "servers: [z]"), "nerve SD config must contain at least one path"),
    (sd("nerve", "servers: [z], paths: [a]"), "nerve SD config paths must begin with '/': a"),
    (sd("serverset", "servers: [z], paths: [/a], timeout: 5s"), None),
    (sd("serverset", "servers: [z], paths: [a]"), "serverset SD config paths must begin with '/': a"),
    (sd("nomad", "server: 'http://n:4646'"), None, NOT_DEBIAN),
    (sd("nomad", "server: ' '"), "nomad SD configuration requires a server address", NOT_DEBIAN),
    (sd("openstack", OPENSTACK + ", port: 80, all_tenants: true, availability: admin"), None),
    (sd("openstack", "role: loadbalancer, region: r"), None, NEW),
    (sd("openstack", "role: invalid, region: r"), 'unknown OpenStack SD role "invalid"'),
    (sd("openstack", "region: r"), "role missing (one of: instance, hypervisor, loadbalancer)"),
    (sd("openstack", "role: instance"), "openstack SD configuration requires a region"),
    (sd("openstack", OPENSTACK + ", availability: invalid"), "unknown availability invalid, must be one of admin, internal or public"),
    (sd("outscale", "access_key: a, secret_key: s"), None, NEW),
    (sd("outscale", "access_key: a"), "outscale SD configuration requires access_key and secret_key", NEW),
    (sd("ovhcloud", OVH + ", service: vps"), None),
    (sd("ovhcloud", OVH.replace("application_secret: s, ", "") + ", service: vps"), "application secret can not be empty"),
    (sd("ovhcloud", OVH.replace("application_key: k, ", "") + ", service: vps"), "application key can not be empty"),
    (sd("ovhcloud", OVH + ", service: fakeservice"), "unknown service: fakeservice"),
    (sd("puppetdb", "url: 'https://p/', query: 'resources { }', include_parameters: true"), None),
    (sd("puppetdb", "url: 'https://p'"), "query missing"),
    (sd("puppetdb", "query: q"), "URL is missing"),
    (sd("puppetdb", "url: 'https://', query: q"), "host is missing in URL"),
    (sd("puppetdb", "url: 'ftp://p', query: q"), "URL scheme must be 'http' or 'https'"),
    (sd("puppetdb", "url: 'https://p', query: q, bearer_token: a, bearer_token_file: b"), BEARERS, SINCE_43),
    (sd("scaleway", SCALEWAY_ALL), None),
    (sd("scaleway", SCALEWAY + ", role: baremetal, secret_key_file: f"), None),
    (sd("scaleway", SCALEWAY + ", role: invalid, secret_key: s"), 'unknown role "invalid"'),
    (sd("scaleway", SCALEWAY + ", secret_key: s"), "role missing (one of: instance, baremetal)"),
    (sd("scaleway", SCALEWAY + ", role: instance"), "one of secret_key & secret_key_file must be configured"),
    (sd("scaleway", SCALEWAY_ALL + ", secret_key_file: f"), "at most one of secret_key & secret_key_file must be configured"),
    (sd("scaleway", SCALEWAY_ALL.replace("SCW", "ACW")), "invalid access key format 'ACWAAAAAAAAAAAAAAAAA', expected SCWXXXXXXXXXXXXXXXXX format"),
    (sd("scaleway", SCALEWAY_ALL.replace("project_id: 1", "project_id: x")), "invalid project ID format"),
    (sd("scaleway", SCALEWAY_ALL.replace("secret_key: 2", "secret_key: x")), "invalid secret key format, expected a UUID"),
    (sd("scaleway", SCALEWAY_ALL + ", zone: paris"), "invalid default zone format 'paris'"),
    (sd("scaleway", SCALEWAY_ALL + ", api_url: 'https://a/'"), "invalid url https://a/"),
    (sd("stackit", "project: p, region: eu01, authorization: {credentials: a}"), None, NEW),
    (sd("stackit", "project: p, region: '', endpoint: ''"), "stackit_sd: endpoint and region missing", NEW),
    (sd("stackit", "project: p, endpoint: 'http://[::1'"), 'stackit_sd: invalid endpoint "http://[::1"', NEW),
    (sd("triton", TRITON + ", version: 1, port: 9163"), None),
    (sd("triton", TRITON.replace("account: a, ", "")), "triton SD configuration requires an account"),
    (sd("triton", TRITON + ", role: x"), "triton SD configuration requires role to be 'container' or 'cn'"),
    (sd("uyuni", UYUNI), None),
    (sd("uyuni", "username: u, password: p"), "Uyuni SD configuration requires server host"),
    (sd("uyuni", UYUNI.replace(", password: p", "")), "Uyuni SD configuration requires a password"),
    (sd("uyuni", UYUNI + ", bearer_token: a, bearer_token_file: b"), BEARERS, SINCE_43),
    (sd("vultr", "authorization: {credentials: a}"), None),
    ("scrape_configs:\n- job_name: a\n  azure_sd_configs:\n  -\n", "empty or null section in azure_sd_configs"),
    # ---- Alertmanagers ----
    ("alerting: {alertmanagers: [{api_version: v1}]}\n", "v1", "API v1 went away with 3.0"),
    ("alerting: {alertmanagers: [{api_version: v2, scheme: https, static_configs: [{targets: ['1.2.3.4:9093']}]}]}\n", None),
    ("alerting: {alertmanagers: [{static_configs: [{targets: ['http://bad']}]}]}\n", '"http://bad" is not a valid hostname'),
    # ---- Remote ----
    ("remote_write:\n-\n", "empty or null remote write config section"),
    ("remote_read:\n-\n", "empty or null remote read config section"),
    ("remote_write: [{name: a}]\n", "url for remote_write is empty"),
    ("remote_read: [{name: a}]\n", "url for remote_read is empty"),
    (write("url: 'http://a', headers: {x-prometheus-remote-write-version: a}"), RESERVED),
    (write("url: 'http://a', headers: {Authorization: a}"), "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter"),
    (write("url: 'http://a', protobuf_message: io.prometheus.writet.v2.Request"),
     "unknown type for remote write protobuf message io.prometheus.writet.v2.Request, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request", NEW),
    ("remote_read: [{url: 'http://a', headers: {x-prometheus-remote-write-version: a}}]\n", RESERVED),
    ("remote_write: [{url: 'http://a', name: q}, {url: 'http://b', name: q}]\n", 'found multiple remote write configs with job name "q"'),
    ("remote_read: [{url: 'http://a', name: q}, {url: 'http://b', name: q}]\n", 'found multiple remote read configs with job name "q"'),
    (write("url: 'http://a', queue_config: {retry_on_http_429: true}"), None),
    (write("url: 'http://a', queue_config: {min_shards: 50, min_backoff: 5s}"), None),
    *[(write(f"url: 'http://a', queue_config: {{{keys}}}"), f"remote write queue {why}", NEW) for keys, why in
      (("max_shards: 0", "max_shards must be positive"), ("min_shards: 0", "min_shards must be positive"), ("min_shards: -1", "min_shards must be positive"),
       ("min_shards: 5, max_shards: 4", "min_shards must not be greater than max_shards"), ("max_samples_per_send: 0", "max_samples_per_send must be positive"),
       ("capacity: 0", "capacity must be positive"), ("min_backoff: 6s", "max_backoff must not be less than min_backoff"))],
    # ---- URLs ----
    (url("http://a:b/"), 'invalid port ":b" after host'),
    (url("http://u:canary/b@host/"), "invalid port after host", "the port may be a password: it is not shown"),
    (url("http://a b/"), 'invalid character " " in host name'),
    (url("http://[::1"), "missing ']' in host"),
    (url("http://[::1]x/"), 'invalid port "x" after host'),
    (url("http://[zz]/"), "invalid host", "refused since Go 1.25"),
    (url("http://a/%zz"), 'invalid URL escape "%zz"'),
    (url("http://a/%4"), 'invalid URL escape "%4"'),
    (url("http://a#%zz"), 'invalid URL escape "%zz"'),
    (url("http://%41/"), 'invalid URL escape "%41"'),
    (url("http://u p@a/"), "net/url: invalid userinfo"),
    (url("://x"), "missing protocol scheme"),
    (url("1http://a"), "first path segment in URL cannot contain colon"),
    (url("h_t://a/"), "first path segment in URL cannot contain colon"),
    (url("http://a\\x01"), "invalid control character in URL"),
    *[(url(u), None) for u in ("http://a:/", "http://a/ b", "http://u:p@a:80/x?y=%zz", "http://[fe80::1%25en0]:80/", "mailto:x",
                               "http://a<b/", "//a/b", "/a", "http://\u00e9/", "http://%c3%a9/", "http://a:70000/")],
    # ---- Tracing, OTLP, storage ----
    ("tracing: {insecure: true}\n", "tracing endpoint must be set"),
    ("tracing: {endpoint: 'a:1', headers: {x-prometheus-remote-write-version: a}}\n", RESERVED),
    ("tracing: {endpoint: 'a:1', headers: {Authorization: a}}\n", "authorization header configuration is not yet supported"),
    ("tracing: {endpoint: 'a:1', compression: foo}\n", "invalid compression type foo provided, valid options: gzip"),
    ("tracing: {endpoint: 'a:1', client_type: grpc, compression: gzip, timeout: 5s, headers: {foo: bar}, insecure: false}\n", None),
    (otlp("promote_resource_attributes: [k8s.job.name, k8s.job.name]"), 'duplicated promoted OTel resource attribute "k8s.job.name"', NEW),
    (otlp("promote_resource_attributes: ['']"), "empty promoted OTel resource attribute", NEW),
    (otlp("promote_all_resource_attributes: true, ignore_resource_attributes: [a, a]"), 'duplicated ignored OTel resource attribute "a"', NEW),
    (otlp("promote_all_resource_attributes: true, ignore_resource_attributes: ['']"), "empty ignored OTel resource attribute", NEW),
    (otlp("promote_all_resource_attributes: true, promote_resource_attributes: [a]"),
     "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously", NEW),
    (otlp("ignore_resource_attributes: [a]"), "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true", NEW),
    (otlp("translation_strategy: Invalid"), 'unsupported OTLP translation strategy "Invalid"', NEW),
    *[("global: {metric_name_validation_scheme: legacy}\n" + otlp(f"translation_strategy: {s}"),
       f'OTLP translation strategy "{s}" is not allowed when UTF8 is disabled', NEW) for s in ("NoUTF8EscapingWithSuffixes", "NoTranslation")],
    (otlp("translation_strategy: NoTranslation, keep_identifying_resource_attributes: true, convert_histograms_to_nhcb: true, promote_scope_metadata: true"), None, NEW),
    (otlp("label_name_underscore_sanitization: false, label_name_preserve_multiple_underscores: false"), None, NEW),
    ("otlp:\n", None, NEW),
    ("storage: {tsdb: {out_of_order_time_window: 30m, retention: {time: 1d, size: 1GB}}}\n", None, NEW),
    ("storage: {tsdb: {retention: {percentage: 101}}}\n", "percentage", NEW),
    ("storage: {tsdb: {retention: {percentage: 12.5}}}\n", None, NEW),
    *[(f"storage: {{tsdb: {{chunk_encoding: {{floats: {e}}}}}}}\n", None, NEW) for e in ("xor", "xor2")],
    ("storage: {tsdb: {chunk_encoding: {floats: morse}}}\n", "must be one of xor, xor2", NEW),
]
