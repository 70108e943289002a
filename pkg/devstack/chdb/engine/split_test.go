package engine

import "testing"

func TestSplitInsert(t *testing.T) {
	for _, c := range []struct{ text, sql, format, data string }{
		{"INSERT INTO t FORMAT Native", "INSERT INTO t ", "Native", ""},
		{
			"insert into db.t (a, b) format JSONEachRow {\"a\":1}\n\n{\"a\":2}",
			"insert into db.t (a, b) ", "JSONEachRow", "{\"a\":1}\n\n{\"a\":2}",
		},
		{"INSERT INTO t FORMAT CSV\n\n1\n", "INSERT INTO t ", "CSV", "\n1\n"},
		{"INSERT INTO t FORMAT CSV;\r\n1\n", "INSERT INTO t ", "CSV", "1\n"},
		{
			"/* FORMAT x */ INSERT INTO `a FORMAT b` SETTINGS x='FORMAT y' -- FORMAT z\nFORMAT TSV",
			"/* FORMAT x */ INSERT INTO `a FORMAT b` SETTINGS x='FORMAT y' -- FORMAT z\n", "TSV", "",
		},
		{
			"INSERT INTO TABLE FUNCTION null('a FORMAT b') FORMAT TSV 1",
			"INSERT INTO TABLE FUNCTION null('a FORMAT b') ", "TSV", "1",
		},
		{"INSERT INTO format.values FORMAT TSV", "INSERT INTO format.values ", "TSV", ""},
		{
			"# c\nINSERT INTO t (`it\\`s`, \"x\"\"FORMAT\") FORMAT TSV",
			"# c\nINSERT INTO t (`it\\`s`, \"x\"\"FORMAT\") ", "TSV", "",
		},
	} {
		in, ok := splitInsert(c.text)
		if want := (insertText{c.sql, c.format, c.data}); !ok || in != want {
			t.Errorf("%q splits into %+v, %v", c.text, in, ok)
		}
	}
	for _, text := range []string{
		"",
		"SELECT 1 FORMAT TSV",
		"INSERT",
		"INSERT INTO t",
		"INSERT INTO t FORMAT",
		"INSERT INTO t VALUES (1) -- FORMAT TSV",
		"INSERT INTO t VALUES ('FORMAT TSV')",
		"INSERT INTO t SELECT 1 FORMAT TSV",
		"INSERT INTO t FROM INFILE 'x' FORMAT TSV",
		"INSERT INTO t WITH 1 AS x SELECT x FORMAT TSV",
		"EXPLAIN INSERT INTO t FORMAT TSV",
		"INSERT INTO t ('",
		"INSERT INTO t /* FORMAT TSV",
	} {
		if in, ok := splitInsert(text); ok {
			t.Errorf("%q splits into %+v", text, in)
		}
	}
}

func TestMentionsFormat(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT 1":                            false,
		"SELECT 1 FORMAT JSON":                true,
		"SELECT 'FORMAT JSON'":                false,
		"SELECT format('{}', 1)":              true,
		"SELECT 1 /* FORMAT JSON */":          false,
		"(SELECT 1) format JSON SETTINGS x=1": true,
		"SELECT (SELECT 'a' AS format)":       false,
	} {
		if got := mentionsFormat(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
