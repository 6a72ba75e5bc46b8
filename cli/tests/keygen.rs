//! `pzmq keygen`, driven as a person would.

use assert_cmd::Command;

fn pzmq() -> Command {
    Command::cargo_bin("pzmq").expect("pzmq is built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_secret_key_tells_its_public_key() {
    let keys = pzmq().arg("keygen").assert().success();
    let keys = text(&keys.get_output().stdout);
    let line = |name: &str| {
        let line = keys.lines().find_map(|line| line.strip_prefix(name));
        line.expect("a line for each key").to_owned()
    };
    let told = pzmq()
        .args(["keygen", "--public-of", "-"])
        .write_stdin(line("secret-key = "))
        .assert()
        .success();
    assert_eq!(
        text(&told.get_output().stdout).trim(),
        line("public-key = ")
    );
}

#[test]
fn certificates_are_not_overwritten_unless_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let keygen = |more: &[&str]| {
        let mut command = pzmq();
        command.current_dir(&folder).args(["keygen", "server"]);
        command.args(more).assert()
    };
    keygen(&["--name", "plant 4"])
        .success()
        .stdout("server.key\nserver.key_secret\n");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    let first = read("server.key");
    assert!(first.contains("plant 4") && !first.contains("secret-key"));
    assert!(read("server.key_secret").contains("secret-key"));
    keygen(&[])
        .code(1)
        .stderr("pzmq: server.key is there already; --force overwrites it\n");
    assert_eq!(read("server.key"), first);
    keygen(&["--force"]).success();
    assert_ne!(read("server.key"), first);
}

#[test]
fn what_is_no_key_is_said_so() {
    let refused = pzmq()
        .args(["keygen", "--public-of", "rubbish"])
        .assert()
        .code(1);
    let said = text(&refused.get_output().stderr);
    assert!(said.starts_with("pzmq: this is no secret key: "), "{said}");
}

/// Z85 has a hyphen among its characters.
#[test]
fn a_key_may_begin_with_a_hyphen() {
    let key = format!("-{}", "0".repeat(39));
    let told = pzmq().args(["keygen", "--public-of", &key]).assert();
    told.success();
    let pinged = pzmq()
        .args(["ping", "ipc:///nowhere/at/all", "--server-key", &key])
        .assert()
        .code(1);
    let said = text(&pinged.get_output().stderr);
    assert!(said.contains("cannot reach"), "{said}");
}
