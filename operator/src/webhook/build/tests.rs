//! Every child of a small Webhook, and what its settings change.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::PodSpec};
use posthaste_crds::v1alpha1::WebhookEndpoint;
use posthaste_delivery_config::{
    AddressPolicy, StatusBudget,
    render::{self, render},
    resolve::Lookup,
};

use super::*;
use crate::{
    args::{LogFormat, PullPolicy},
    child_kind::ChildKind,
};

fn webhook(spec: &str) -> Webhook {
    let metadata = "metadata: {name: letters, namespace: mail, uid: w1, generation: 3}";
    serde_yaml::from_str(&format!("apiVersion: posthaste.dev/v1alpha1\nkind: Webhook\n{metadata}\nspec: {spec}\n"))
        .unwrap()
}

fn settings() -> Settings {
    Settings {
        image: "registry.example/delivery:1.2.3".into(),
        pull_policy: Some(PullPolicy::IfNotPresent),
        log: "info".into(),
        log_format: LogFormat::Json,
        allow: vec![],
        allow_for: BTreeMap::new(),
        deny: vec![],
        status_mode: posthaste_delivery_config::StatusMode::Full,
        status_writes_per_second: 5.0,
        network_policy: true,
    }
}

fn deployment_of(spec: &str) -> Deployment {
    let webhook = webhook(spec);
    deployment::build(&Parent::new(&webhook), &settings())
}

fn pod_of(spec: &str) -> PodSpec {
    deployment_of(spec).spec.unwrap().template.spec.unwrap()
}

#[test]
fn deployment() {
    insta::assert_yaml_snapshot!(deployment_of("{}"));
}

#[test]
fn service() {
    insta::assert_yaml_snapshot!(service::build(&Parent::new(&webhook("{}"))));
}

#[test]
fn with_tls_the_service_says_https_and_no_http() {
    let webhook = webhook("{ingest: {tls: {secretRef: {name: letters-tls}}}}");
    let ports = service::build(&Parent::new(&webhook)).spec.unwrap().ports.unwrap();
    let says =
        |port: &k8s_openapi::api::core::v1::ServicePort| (port.port, port.name.clone(), port.app_protocol.clone());
    let https = || Some("https".to_owned());
    assert_eq!(ports.iter().map(says).collect::<Vec<_>>(), [(443, https(), https())]);
}

#[test]
fn service_account() {
    insta::assert_yaml_snapshot!(service_account::build(&Parent::new(&webhook("{}"))));
}

#[test]
fn role_names_all_configuration_secrets_and_only_its_own_webhook() {
    let rules = role::build(&Parent::new(&webhook("{}"))).rules.unwrap();
    let names = rules[0].resource_names.as_ref().unwrap();
    assert_eq!((names.len(), names[0].as_str(), names[64].as_str()), (65, "letters-delivery", "letters-delivery-63"));
    insta::assert_yaml_snapshot!(rules[1..]);
}

#[test]
fn role_binding() {
    insta::assert_yaml_snapshot!(role_binding::build(&Parent::new(&webhook("{}"))));
}

#[test]
fn publisher_role() {
    insta::assert_yaml_snapshot!(publisher_role::build(&Parent::new(&webhook("{}"))));
}

#[test]
fn network_policy() {
    insta::assert_yaml_snapshot!(network_policy::build(&Parent::new(&webhook("{}"))));
}

#[test]
fn pvc() {
    let webhook = webhook("{journal: {storage: {volumeClaim: {size: 3Gi, className: fast}}}}");
    insta::assert_yaml_snapshot!(pvc::build(&Parent::new(&webhook)).unwrap());
}

#[test]
fn without_a_word_about_it_the_journal_gets_ten_gibibytes_of_the_default_class() {
    let claim = pvc::build(&Parent::new(&webhook("{}"))).unwrap().spec.unwrap();
    assert_eq!(claim.resources.unwrap().requests.unwrap()["storage"].0, "10Gi");
    assert_eq!(claim.storage_class_name, None);
}

#[test]
fn an_empty_dir_is_bounded_and_needs_no_claim() {
    let parent = webhook("{journal: {storage: {emptyDir: {}}}}");
    assert!(pvc::build(&Parent::new(&parent)).is_none());
    let volume = pod_of("{journal: {storage: {emptyDir: {}}}}").volumes.unwrap().remove(0);
    assert!(volume.persistent_volume_claim.is_none());
    assert_eq!(volume.empty_dir.unwrap().size_limit.unwrap().0, "1Gi");
}

#[test]
fn replicas_zero_stops_the_pod() {
    assert_eq!(deployment_of("{replicas: 0}").spec.unwrap().replicas, Some(0));
}

#[test]
fn the_template_reaches_the_pod() {
    let spec = "{template: {resources: {limits: {memory: 1Gi}}, nodeSelector: {disk: ssd}, tolerations: [{key: k}],
        annotations: {a: b}, imagePullSecrets: [{name: pull}]}}";
    let pod = pod_of(spec);
    let resources = pod.containers[0].resources.clone().unwrap();
    assert_eq!((resources.requests, resources.limits.unwrap()["memory"].0.as_str()), (None, "1Gi"));
    assert_eq!(pod.node_selector.unwrap()["disk"], "ssd");
    assert_eq!(pod.tolerations.unwrap().len(), 1);
    assert_eq!(pod.image_pull_secrets.unwrap()[0].name, "pull");
    let template = deployment_of(spec).spec.unwrap().template;
    assert_eq!(template.metadata.unwrap().annotations.unwrap()["a"], "b");
}

#[test]
fn the_pod_does_not_depend_on_the_configuration() {
    let plain = deployment_of("{}").spec.unwrap().template;
    let other = deployment_of("{suspend: true, limits: {inFlight: 7}, eventTypes: [{name: a}]}").spec.unwrap().template;
    assert_eq!(plain, other);
}

#[test]
fn the_service_and_the_policy_select_what_the_deployment_makes() {
    let webhook = webhook("{}");
    let parent = Parent::new(&webhook);
    let deployment = deployment_of("{}").spec.unwrap();
    let labels = deployment.template.metadata.unwrap().labels.unwrap();
    let selectors = [
        deployment.selector.match_labels.unwrap(),
        service::build(&parent).spec.unwrap().selector.unwrap(),
        network_policy::build(&parent).spec.unwrap().pod_selector.unwrap().match_labels.unwrap(),
        [("posthaste.dev/webhook".to_owned(), "letters".to_owned())].into(),
    ];
    for selector in selectors {
        assert!(selector.iter().all(|(name, value)| labels.get(name) == Some(value)), "{selector:?}");
    }
}

fn endpoint(name: &str, uid: &str) -> WebhookEndpoint {
    serde_yaml::from_str(&format!(
        "{{apiVersion: posthaste.dev/v1alpha1, kind: WebhookEndpoint,
          metadata: {{name: {name}, namespace: mail, uid: {uid}, generation: 1}},
          spec: {{webhookRef: {{name: letters}}, target: {{url: 'https://{name}.example/post'}},
                  signing: {{keys: [{{id: k, encoding: Raw, secretKeyRef: {{name: seal, key: k}}}}]}}}}}}"
    ))
    .unwrap()
}

#[test]
fn the_order_of_children_puts_chunks_before_the_index_and_the_pod_last() {
    let webhook = webhook("{}");
    let endpoints = [endpoint("aunt", "e1"), endpoint("uncle", "e2")];
    let mut lookup = Lookup::default();
    lookup.insert_secret("seal", [("k".to_owned(), vec![7; 32])]);
    let rendered = render(&render::Input {
        salt: "salt",
        webhook: &webhook,
        endpoints: &endpoints.iter().collect::<Vec<_>>(),
        lookup: &lookup,
        address_policy: &AddressPolicy::default(),
        status: &StatusBudget::default(),
        previous: None,
        acknowledged: None,
        now: jiff::Timestamp::UNIX_EPOCH,
    });
    let configuration = rendered.configuration.unwrap();
    let children = children(&webhook, &configuration, &settings()).unwrap();
    let kinds: Vec<_> = children.iter().map(|child| child.kind).collect();
    assert_eq!(kinds.last(), Some(&ChildKind::Deployment));
    let secrets: Vec<_> =
        children.iter().filter(|child| child.kind == ChildKind::Secret).map(|child| child.key.name.as_str()).collect();
    assert_eq!(secrets.len(), configuration.chunks.len() + 1);
    assert_eq!(secrets.last(), Some(&"letters-delivery"));
    let read = config_secret::index(&Parent::new(&webhook), &configuration).data.unwrap();
    let index = posthaste_delivery_config::contract::read_index(&read["index.json"].0).unwrap();
    assert_eq!(index.webhook.name, "letters");
}

#[test]
fn network_policies_can_be_turned_off() {
    let webhook = webhook("{}");
    let rendered = render(&render::Input {
        salt: "salt",
        webhook: &webhook,
        endpoints: &[],
        lookup: &Lookup::default(),
        address_policy: &AddressPolicy::default(),
        status: &StatusBudget::default(),
        previous: None,
        acknowledged: None,
        now: jiff::Timestamp::UNIX_EPOCH,
    });
    let settings = Settings { network_policy: false, ..settings() };
    let children = children(&webhook, &rendered.configuration.unwrap(), &settings).unwrap();
    assert!(children.iter().all(|child| child.kind != ChildKind::NetworkPolicy));
}

#[test]
fn an_inline_endpoint_is_a_resource_that_belongs_to_its_webhook() {
    let webhook = webhook("{endpoints: [{name: archive, target: {url: 'https://archive.example/in'}, tenant: t}]}");
    insta::assert_yaml_snapshot!(inline_endpoint::build(&Parent::new(&webhook)));
}

#[test]
fn what_somebody_added_to_an_inline_endpoint_is_taken_out_again() {
    let spec = |settings: &str| {
        let webhook = webhook(&format!("{{endpoints: [{{name: archive, {settings}}}]}}"));
        inline_endpoint::build(&Parent::new(&webhook)).remove(0).spec
    };
    let wanted = spec("target: {url: 'https://archive.example/in'}, eventTypes: [a]");
    let edited =
        spec("target: {url: 'https://archive.example/in', allowHTTP: true}, eventTypes: [a, b], suspend: true");
    let patch = inline_endpoint::revert(&edited, &wanted).unwrap().unwrap();
    let expected = serde_json::json!({"spec": {"target": {"allowHTTP": null}, "eventTypes": ["a"], "suspend": null}});
    assert_eq!(patch, expected);
    assert_eq!(inline_endpoint::revert(&wanted, &wanted).unwrap(), None);
    // What only differs in value is the server-side apply's to put right.
    let other = spec("target: {url: 'https://elsewhere.example/in'}, eventTypes: [a]");
    assert_eq!(inline_endpoint::revert(&other, &wanted).unwrap(), None);
}
