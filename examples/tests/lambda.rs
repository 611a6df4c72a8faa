//! The Lambda example, driven as Lambda drives a function: warm, frozen and thawed, over its
//! limit, and out of memory.

#[path = "../lambda/runtime_api.rs"]
mod runtime_api;

use std::path::PathBuf;

use runtime_api::{Environment, Failure};
use serde_json::Value;

/// The example's program, which cargo builds before it runs this one.
fn program() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    let profile = own.ancestors().nth(2).ok_or("this program lies in no target directory")?;
    Ok(profile.join("examples").join("lambda").with_extension(std::env::consts::EXE_EXTENSION))
}

async fn environment() -> Result<Environment, Failure> {
    let program = program()?;
    Environment::start(&program, 128).await.map_err(|error| {
        let program = program.display();
        // Named alone, this test is built without the examples.
        format!("{program}: {error}; `cargo build -p bursar-examples --example lambda` makes it")
            .into()
    })
}

fn status(answer: &Value) -> Option<u64> {
    answer["statusCode"].as_u64()
}

fn body(answer: &Value) -> &str {
    answer["body"].as_str().unwrap_or_default()
}

/// Where the kernel tells.
fn resident_bytes(environment: &Environment) -> Option<u64> {
    let statm = format!("/proc/{}/statm", environment.process_id());
    let pages = std::fs::read_to_string(statm).ok()?.split(' ').nth(1)?.parse::<u64>().ok()?;
    Some(pages * 4096)
}

#[tokio::test]
async fn a_warm_function_keeps_far_more_reports_in_turn_than_its_memory_holds()
-> Result<(), Failure> {
    let environment = environment().await?;
    for id in 0..600 {
        let answer = environment.invoke(&format!("/report/{id}")).await?;
        assert_eq!(status(&answer), Some(200), "report {id}: {answer}");
        if let Some(resident) = resident_bytes(&environment) {
            assert!(resident < 128 << 20, "{resident} bytes resident after report {id}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_function_that_was_frozen_answers_once_it_is_thawed() -> Result<(), Failure> {
    let environment = environment().await?;
    for id in 0..200 {
        environment.invoke(&format!("/report/{id}")).await?;
    }
    let is_frozen = environment.freeze()?;
    let thaw = async { if is_frozen { environment.thaw() } else { Ok(()) } };
    // The event comes first and waits for it, as Lambda's does.
    let (answer, thawed) = tokio::join!(environment.invoke("/report/199"), thaw);
    thawed?;
    let answer = answer?;
    assert_eq!(status(&answer), Some(200));
    assert_eq!(status(&environment.invoke("/health").await?), Some(200));
    Ok(())
}

#[tokio::test]
async fn out_of_memory_it_answers_503_but_for_health_checks_and_recovers() -> Result<(), Failure> {
    let environment = environment().await?;
    environment.invoke("/report/1").await?;
    let held = environment.invoke("/hold/125").await?;
    assert_eq!(status(&held), Some(200), "{held}");
    for _ in 0..3 {
        let refused = environment.invoke("/report/1").await?;
        assert_eq!(status(&refused), Some(503), "{refused}");
    }
    let health = environment.invoke("/health").await?;
    assert_eq!(status(&health), Some(503), "{health}");
    assert!(body(&health).contains("level emergency"), "{health}");

    environment.invoke("/release").await?;
    assert_eq!(status(&environment.invoke("/health").await?), Some(200));
    Ok(())
}

#[tokio::test]
async fn a_request_for_nothing_that_there_is_says_what_there_is() -> Result<(), Failure> {
    let environment = environment().await?;
    let answer = environment.invoke("/nonsense").await?;
    assert_eq!(status(&answer), Some(404));
    assert!(body(&answer).contains("/report/ID"), "{answer}");
    Ok(())
}
