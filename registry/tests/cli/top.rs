//! `bursar top` where there is no terminal. Its screens are tested in the program.

use crate::server::{right, serve};
use crate::{bursar, complaint};

#[test]
fn top_refuses_to_draw_into_a_pipe() {
    let url = serve(right("/memory"));
    let line = complaint(&bursar(&["top", "--url", &url]), 2);
    assert!(line.contains("a terminal") && line.contains("bursar status"), "{line}");
}
