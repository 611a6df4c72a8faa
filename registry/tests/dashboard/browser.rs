//! A headless Chromium, if there is one.

use std::process::Command;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// What a page has become.
pub(crate) struct Loaded {
    pub(crate) dom: String,
    /// What was written to the console, and what a policy forbade.
    pub(crate) console: Vec<String>,
    /// All that the browser said, for whoever looks for what went wrong.
    said: String,
}

/// What a page has come to.
pub(crate) struct Visit {
    /// What `probe.js` has seen.
    pub(crate) seen: serde_json::Value,
    /// What was written to the console, and what a policy forbade.
    pub(crate) console: Vec<String>,
}

pub(crate) struct Browser {
    program: &'static str,
}

impl Browser {
    /// Says so where there is none.
    pub(crate) fn find() -> Option<Self> {
        let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok();
        let program = NAMES.into_iter().find(runs);
        if program.is_none() {
            println!("skipped: Chromium is not installed");
        }
        Some(Self { program: program? })
    }

    /// Opens a page and lets its clock run for some seconds, as fast as it can: time stands still
    /// while an answer is waited for, and so decides nothing.
    pub(crate) fn load(&self, url: &str, seconds: u32) -> Loaded {
        let home = tempfile::tempdir().unwrap();
        let output = Command::new(self.program)
            .args(["--headless=new", "--disable-gpu", "--no-first-run", "--dump-dom"])
            // The page is our own, and containers and root have no sandbox.
            .args(["--no-sandbox", "--enable-logging=stderr"])
            .arg(format!("--user-data-dir={}", home.path().display()))
            .arg(format!("--virtual-time-budget={}", seconds * 1000))
            .arg("--window-size=1280,900")
            .arg(url)
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let console = said.lines().filter(|line| line.contains("CONSOLE"));
        let console = console.map(str::to_owned).collect();
        Loaded { dom, console, said }
    }

    /// Loads a page that has `probe.js` in it.
    pub(crate) fn visit(&self, url: &str, seconds: u32) -> Visit {
        let Loaded { dom, console, said } = self.load(url, seconds);
        let seen = dom.split_once("<script type=\"application/json\" id=\"seen\">");
        let seen = seen.and_then(|(_, rest)| rest.split_once("</script>"));
        let (seen, _) = seen.unwrap_or_else(|| panic!("the probe saw nothing: {said}\n{dom}"));
        Visit { seen: serde_json::from_str(seen).unwrap(), console }
    }
}
