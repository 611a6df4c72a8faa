use serde_json::{Value, json};

use super::*;

/// 2026-11-22, two o'clock and some milliseconds.
fn two_oclock() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_795_312_800_750)
}

fn written<T: Serialize>(envelope: &Envelope<T>) -> Value {
    serde_json::to_value(envelope).unwrap()
}

fn read(json: Value) -> Result<Envelope<Vec<u8>>, String> {
    serde_json::from_str(&json.to_string()).map_err(|error| error.to_string())
}

#[test]
fn a_success_has_its_data_and_no_fields_of_a_failure() {
    let envelope = Envelope::ok([1, 2]).at(two_oclock()).correlated_with("a-1");
    let json = json!({
        "success": true, "message": "ok", "data": [1, 2], "correlation_id": "a-1",
        "timestamp": "2026-11-22T02:00:00Z",
    });
    assert_eq!(written(&envelope), json);
    assert_eq!(read(json).unwrap().into_result(), Ok(vec![1, 2]));
}

#[test]
fn a_failure_has_its_code_and_values_and_no_data() {
    let error = Error::BudgetTooSmall { given_bytes: 7, min_bytes: 4096 };
    let envelope = Envelope::<Vec<u8>>::from_result(Err(error.clone())).at(two_oclock());
    let json = json!({
        "success": false, "message": error.to_string(), "error_code": "budget_too_small",
        "details": {"given_bytes": "7", "min_bytes": "4096"},
        "timestamp": "2026-11-22T02:00:00Z",
    });
    assert_eq!(written(&envelope), json);
    assert_eq!(read(json).unwrap(), envelope);
    assert_eq!(envelope.into_result(), Err(Failure::from(&error)));
}

#[test]
fn a_failure_without_values_has_no_details() {
    let envelope = Envelope::<()>::error(&Error::NotRunning);
    assert_eq!(written(&envelope).get("details"), None);
}

#[test]
fn data_that_is_null_is_data() {
    let nothing = Envelope::ok(None::<u8>).at(two_oclock());
    let text = serde_json::to_string(&nothing).unwrap();
    assert!(text.contains("\"data\":null"), "{text}");
    assert_eq!(serde_json::from_str::<Envelope<Option<u8>>>(&text).unwrap(), nothing);
}

#[test]
fn identifiers_that_could_harm_a_log_are_left_out() {
    let longest = "x".repeat(128);
    for allowed in ["a", "0f7c-11", "two words", "~", &longest] {
        assert_eq!(Envelope::ok(()).correlated_with(allowed).correlation_id(), Some(allowed));
    }
    for hostile in ["", "a\nb", "\u{1b}[31m", "\u{7f}", "schlüssel", &"x".repeat(129)] {
        assert_eq!(Envelope::ok(()).correlated_with(hostile).correlation_id(), None);
        let json = json!({
            "success": true, "message": "", "data": [], "correlation_id": hostile,
            "timestamp": "2026-11-22T02:00:00Z",
        });
        assert_eq!(read(json).unwrap().correlation_id(), None);
    }
}

#[test]
fn times_that_rfc_3339_cannot_write_become_the_nearest_it_can() {
    let before = UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(written(&Envelope::ok(()).at(before))["timestamp"], "1970-01-01T00:00:00Z");
    let after = UNIX_EPOCH + Duration::from_secs(LAST_SECOND + 1);
    assert_eq!(written(&Envelope::ok(()).at(after))["timestamp"], "9999-12-31T23:59:59Z");
}

#[test]
fn what_is_neither_a_success_nor_a_failure_is_refused_with_the_reason() {
    let timestamp = "2026-11-22T02:00:00Z";
    let without_data = json!({"success": true, "message": "", "timestamp": timestamp});
    assert!(read(without_data).unwrap_err().contains("without `data`"));
    let without_code = json!({"success": false, "message": "", "timestamp": timestamp});
    assert!(read(without_code).unwrap_err().contains("without `error_code`"));
    let of_no_time =
        json!({"success": true, "message": "", "data": [], "timestamp": "two o'clock"});
    assert!(read(of_no_time).unwrap_err().contains("two o'clock"));
}

#[test]
fn an_errors_code_is_its_variants_name_in_snake_case() {
    let text = |text: &str| text.to_owned();
    let errors = [
        Error::UnparsableBudget { given: text("x"), reason: text("y") },
        Error::InvalidWatermarks { warning: 0.1, critical: 0.2, emergency: 0.3 },
        Error::InvalidVariables { variables: Vec::new() },
        Error::ServerNotStarted { address: text("x"), reason: text("y") },
        Error::AlreadyStarted,
        Error::NotInstalled,
    ];
    for error in errors {
        let debug = format!("{error:?}");
        let name: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
        let snake: String = name
            .chars()
            .map(|c| if c.is_uppercase() { format!("_{}", c.to_lowercase()) } else { c.into() })
            .collect();
        assert_eq!(error.code(), snake.trim_start_matches('_'));
    }
}
