//! The columns that `kubectl get` prints for a resource, from the definition that the API server prints them by.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition,
};
use serde_json::Value;

/// Prints resources as `kubectl get` does: the columns that are always shown, name first.
pub fn table(definition: &CustomResourceDefinition, objects: &[Value], now: Timestamp) -> String {
    let columns: Vec<&CustomResourceColumnDefinition> = definition
        .spec
        .versions
        .iter()
        .flat_map(|version| version.additional_printer_columns.iter().flatten())
        .filter(|column| column.priority.unwrap_or(0) == 0)
        .collect();
    let head = std::iter::once("NAME".to_owned()).chain(columns.iter().map(|column| column.name.to_uppercase()));
    let mut rows = vec![head.collect::<Vec<_>>()];
    for object in objects {
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let cells = columns.iter().map(|column| cell(column, object, now));
        rows.push(std::iter::once(name).chain(cells).collect());
    }
    aligned(&rows)
}

/// Two spaces apart at least three, as wide as the widest cell: kubectl's own layout.
fn aligned(rows: &[Vec<String>]) -> String {
    const LEAST: usize = 6;
    const PADDING: usize = 3;
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let widest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        (widest + PADDING).max(LEAST)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < columns {
                text.extend(std::iter::repeat_n(' ', widths[column] - cell.chars().count()));
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

/// A missing value is an empty cell.
fn cell(column: &CustomResourceColumnDefinition, object: &Value, now: Timestamp) -> String {
    let Some(value) = find(object, &column.json_path) else { return String::new() };
    match value {
        Value::String(text) if column.type_ == "date" => {
            text.parse::<Timestamp>().map_or_else(|_| text.clone(), |time| age(time, now))
        }
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What a printer column's path names: fields, and list entries chosen by `[?(@.field=="value")]`, which is all that
/// our definitions use.
fn find<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = object;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(choice) = rest.strip_prefix("[?(@.") {
            let (choice, after) = choice.split_once(")]")?;
            let (field, wanted) = choice.split_once("==")?;
            let wanted = wanted.trim_matches('"');
            at = at.as_array()?.iter().find(|entry| entry[field] == wanted)?;
            rest = after;
        } else {
            let field = rest.strip_prefix('.')?;
            let end = field.find(['.', '[']).unwrap_or(field.len());
            at = at.get(&field[..end])?;
            rest = &field[end..];
        }
    }
    Some(at)
}

/// A time that has passed, as `kubectl` writes it: two units at most, the second one only while it matters.
fn age(from: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(from).as_secs();
    let Ok(seconds) = u64::try_from(seconds) else { return "0s".to_owned() };
    let elapsed = Duration::from_secs(seconds);
    let (minutes, hours) = (elapsed.as_secs() / 60, elapsed.as_secs() / 3_600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let with = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{small_unit}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => with(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => with(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        _ if days < 8 => with(days, "d", hours % 24, "h"),
        _ if days < 730 => format!("{days}d"),
        _ if years < 8 => with(years, "y", days % 365, "d"),
        _ => format!("{years}y"),
    }
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;
    use posthaste_crds::v1alpha1::{Webhook, WebhookEndpoint};
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_webhook_is_printed_as_kubectl_prints_it() {
        let orders = json!({
            "metadata": {"name": "orders", "creationTimestamp": "2025-11-21T12:00:00Z"},
            "status": {
                "attachedEndpoints": 412,
                "conditions": [{"type": "Accepted", "status": "True"}, {"type": "Ready", "status": "True"}],
                "endpoints": {"display": "405/412"},
                "delivery": {"delivered": 90211, "failed": 231, "pending": 1042},
            },
        });
        let fresh = json!({"metadata": {"name": "x", "creationTimestamp": "2026-01-01T11:59:00Z"}});
        let expected = "\
NAME     READY   ENDPOINTS   HEALTHY   DELIVERED   FAILED   PENDING   AGE
orders   True    412         405/412   90211       231      1042      41d
x                                                                     60s
";
        assert_eq!(table(&Webhook::crd(), &[orders, fresh], now()), expected);
    }

    #[test]
    fn an_endpoint_is_printed_as_kubectl_prints_it() {
        let endpoint = json!({
            "metadata": {"name": "acme-orders", "creationTimestamp": "2025-12-29T10:00:00Z"},
            "spec": {"webhookRef": {"name": "orders"}},
            "status": {
                "conditions": [
                    {"type": "Ready", "status": "True"},
                    {"type": "Healthy", "status": "False", "reason": "ServerError"},
                ],
                "delivery": {"circuit": "Open", "delivered": 10422, "failed": 231, "pending": 1042,
                             "lastSuccessTime": "2026-01-01T11:47:00Z"},
            },
        });
        let expected = "\
NAME          WEBHOOK   READY   HEALTHY   REASON        CIRCUIT   DELIVERED   FAILED   PENDING   LAST-SUCCESS   AGE
acme-orders   orders    True    False     ServerError   Open      10422       231      1042      13m            3d2h
";
        assert_eq!(table(&WebhookEndpoint::crd(), &[endpoint], now()), expected);
    }

    #[test]
    fn ages_are_short() {
        let cases = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (10_860, "3h1m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (700_000, "8d"),
            (86_400 * 729, "729d"),
            (86_400 * 731, "2y1d"),
            (86_400 * 365 * 9, "9y"),
        ];
        for (seconds, text) in cases {
            assert_eq!(age(now() - Duration::from_secs(seconds), now()), text);
        }
        assert_eq!(age(now() + Duration::from_secs(5), now()), "0s");
    }
}
