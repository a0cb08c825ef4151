//! What is read, and how what cannot be read is named.

use proptest::prelude::*;

use super::*;

fn asset(asset_id: &str, name: &str, holder: &str) -> Asset {
    Asset { asset_id: asset_id.into(), name: name.into(), holder: holder.into() }
}

#[test]
fn a_list_reads_the_same_in_either_form() {
    let expected = vec![asset("L-1", "ThinkPad \"X1\", 14\"", "ada"), asset("L-2", "", "bob")];

    let json = r#"[{"asset_id": "L-1", "name": "ThinkPad \"X1\", 14\"", "holder": "ada"},
                   {"holder": " bob ", "name": "", "asset_id": "L-2"}]"#;
    assert_eq!(from_json(json.as_bytes()).unwrap(), expected);
    for csv in [
        "asset_id,name,holder\nL-1,\"ThinkPad \"\"X1\"\", 14\"\"\",ada\nL-2,,bob\n",
        "\u{feff}holder,asset_id,name\r\nada,L-1,\"ThinkPad \"\"X1\"\", 14\"\"\"\r\nbob,L-2,\r\n",
        "Asset_ID;name;holder\n\nL-1;\"ThinkPad \"\"X1\"\", 14\"\"\";ada\n L-2 ;;bob",
    ] {
        assert_eq!(from_csv(csv.as_bytes()).unwrap(), expected, "{csv}");
    }
}

#[test]
fn an_empty_list_is_a_list() {
    assert_eq!(from_json(b"[]").unwrap(), []);
    assert_eq!(from_csv(b"asset_id,name,holder\n").unwrap(), []);
}

#[test]
fn a_bad_row_of_csv_is_named_by_line_and_column() {
    let long = "x".repeat(ASSET_ID_CHARS_MAX + 1);
    for (rows, line, column, reason) in [
        ("a,b", 2, Some("holder"), "missing"),
        ("a,b,c,d", 2, None, "expected 3 columns, found 4"),
        ("L,n,ada\n,n,ada", 3, Some("asset_id"), "empty"),
        ("L,n,ada\nM,n,  ", 3, Some("holder"), "empty"),
        ("L,\"two\nlines\",ada\nM,n,\"a\nb\"", 2, Some("name"), "control"),
        ("L,n,ada\n\nM,n,bob\nL,n,eve", 5, Some("asset_id"), "line 2 and in line 5"),
        (&format!("{long},n,ada"), 2, Some("asset_id"), "at most 200"),
    ] {
        let error = from_csv(format!("asset_id,name,holder\n{rows}").as_bytes()).unwrap_err();
        let found = (error.line, error.column.as_deref());
        assert_eq!(found, (Some(line), column), "{rows}: {error}");
        assert!(error.reason.contains(reason), "{rows}: {error}");
    }
    let latin1 = from_csv(b"asset_id,name,holder\nL,B\xfcro,ada").unwrap_err();
    assert_eq!((latin1.line, latin1.column.as_deref()), (Some(2), Some("name")), "{latin1}");
}

#[test]
fn a_line_is_what_an_editor_shows() {
    for (rows, line, reason) in [
        ("L,n,ada\nM,n,bob\n,n,eve", 4, "empty"),
        ("L,n,ada\n\n\nM,n,bob\n\n,n,eve\n", 7, "empty"),
        ("\n\n,n,eve", 4, "empty"),
        ("L,\"n\",ada\nM,\"two\nlines\",bob", 3, "control"),
        // The line break is at the end of the field, where it is taken off.
        ("L,\"n\n\",ada\n\n,n,eve", 5, "empty"),
        ("L,n,ada\n\nM,n,bob\n\nL,n,eve", 6, "line 2 and in line 6"),
    ] {
        for end in ["\n", "\r\n"] {
            let text = format!("asset_id,name,holder\n{rows}").replace('\n', end);
            let error = from_csv(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, Some(line), "{text:?}: {error}");
            assert!(error.reason.contains(reason), "{text:?}: {error}");
        }
    }
    let error = from_csv(b"\r\n\r\nasset_id,name\r\n").unwrap_err();
    assert_eq!(error.line, Some(3), "{error}");
}

#[test]
fn a_bad_header_names_the_column() {
    for (header, column) in [
        ("asset_id,name", Some("holder")),
        ("asset_id,name,holder,colour", Some("colour")),
        ("asset_id,name,holder,name", Some("name")),
        ("L-1,ThinkPad,ada", Some("L-1")),
        ("", None),
    ] {
        let error = from_csv(header.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.column.as_deref()), (Some(1), column), "{header}: {error}");
    }
}

#[test]
fn a_bad_row_of_json_is_named_by_number_and_column() {
    let good = r#"{"asset_id": "L", "name": "n", "holder": "ada"}"#;
    for (row, column, reason) in [
        (r#"{"asset_id": "M", "name": "n"}"#, Some("holder"), "missing"),
        (r#"{"asset_id": 7, "name": "n", "holder": "x"}"#, Some("asset_id"), "text"),
        (r#"{"asset_id": "", "name": "n", "holder": "x"}"#, Some("asset_id"), "empty"),
        (r#"{"asset_id": "M", "name": "a\nb", "holder": "x"}"#, Some("name"), "control"),
        (r#"{"asset_id": "M", "name": null, "holder": "x"}"#, Some("name"), "text"),
        (r#"{"asset_id": "M", "name": "", "holder": "x", "y": 1}"#, Some("y"), "no such"),
        (r#""M""#, None, "object"),
        (good, Some("asset_id"), "line 1 and in line 2"),
    ] {
        let error = from_json(format!("[{good}, {row}, 7]").as_bytes()).unwrap_err();
        assert_eq!((error.line, error.column.as_deref()), (Some(2), column), "{row}: {error}");
        assert!(error.reason.contains(reason), "{row}: {error}");
    }
    for whole in ["", "{}", "[", "[] x", "null"] {
        assert_eq!(from_json(whole.as_bytes()).unwrap_err().line, None, "{whole}");
    }
}

#[test]
fn a_list_that_is_too_long_is_let_go_at_the_first_row_too_many() {
    use std::fmt::Write as _;

    let mut csv = "asset_id,name,holder\n".to_owned();
    for number in 0..=ROWS_MAX {
        writeln!(csv, "{number},n,h").unwrap();
    }

    let error = from_csv(csv.as_bytes()).unwrap_err();

    assert_eq!(error.line, Some(ROWS_MAX as u64 + 2));
}

proptest! {
    #[test]
    fn what_is_written_is_read(names in prop::collection::vec("[^\\p{C}]{0,20}", 0..20)) {
        let mut expected = Vec::new();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).unwrap();
        for (index, name) in names.iter().enumerate() {
            let row = asset(&format!("L-{index}"), name.trim(), format!("h{name}").trim());
            writer.write_record([&row.asset_id, &row.name, &row.holder]).unwrap();
            expected.push(row);
        }

        let bytes = writer.into_inner().unwrap();

        prop_assert_eq!(from_csv(&bytes).unwrap(), expected.clone());
        let json = serde_json::to_vec(&expected).unwrap();
        prop_assert_eq!(from_json(&json).unwrap(), expected);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = from_csv(&bytes);
        let _ = from_json(&bytes);
    }
}
