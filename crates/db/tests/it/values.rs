//! Parameters and columns.

use genkan_db::testing::on_each_engine;
use genkan_db::{Db, Error, Row, Value, p};

use crate::with_items;

async fn one(db: &Db, sql: &'static str, params: &[Value<'_>]) -> Result<Row, Error> {
    db.read(async |tx| tx.opt(sql, params).await)
        .await
        .map(|row| row.expect("a row"))
}

#[tokio::test]
async fn every_type_is_read_as_it_was_written() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        const ALL: &str = "INSERT INTO items (id, amount, flag, hash, note) VALUES ($1, $2, $3, $4, $5)";
        for (index, amount) in [i64::MIN, -1, 0, 1, i64::MAX].into_iter().enumerate() {
            let id = format!("größe-{index}-門");
            let flag = amount > 0;
            let hash: &[u8] = if flag { b"\x00\xff\x00" } else { b"" };
            let written = db
                .tx(async |tx| tx.exec(ALL, p![&id, amount, flag, hash, None::<&str>]).await)
                .await;
            assert_eq!(written, Ok(1));
            let row = one(
                &db,
                "SELECT id, amount, flag, hash, note FROM items WHERE id = $1",
                p![&id],
            )
            .await;
            let row = row.unwrap();
            assert_eq!(row.get::<String>(0), Ok(id));
            assert_eq!(row.get::<i64>(1), Ok(amount));
            assert_eq!(row.get::<bool>(2), Ok(flag));
            assert_eq!(row.get::<Vec<u8>>(3), Ok(hash.to_vec()));
            assert_eq!(row.get::<Option<String>>(4), Ok(None));
        }
    })
    .await;
}

#[tokio::test]
async fn parameters_are_bound_by_their_number_and_not_by_their_place() {
    on_each_engine(async |db: Db| {
        let sql = "SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($10 AS TEXT), CAST($2 AS TEXT),
                   CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT),
                   CAST($7 AS TEXT), CAST($8 AS TEXT), CAST($9 AS TEXT)";
        let row = one(&db, sql, p!["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"])
            .await
            .unwrap();
        let read: Vec<String> = (0..11).map(|index| row.get(index).unwrap()).collect();
        assert_eq!(read, ["2", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9"]);
    })
    .await;
}

#[tokio::test]
async fn too_many_and_too_few_parameters_are_errors() {
    on_each_engine(async |db: Db| {
        let sql = "SELECT CAST($1 AS TEXT), CAST($2 AS TEXT)";
        for params in [&p!["1"][..], p!["1", "2", "3"], &[]] {
            let refused = one(&db, sql, params).await;
            assert!(
                matches!(refused, Err(Error::Database(_))),
                "{params:?}: {refused:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_column_of_another_type_is_refused_with_a_sentence() {
    on_each_engine(async |db: Db| {
        let row = one(&db, "SELECT CAST('secret' AS TEXT), CAST(7 AS BIGINT), NULL", &[])
            .await
            .unwrap();
        let text = |error: Error| error.to_string();
        assert_eq!(
            row.get::<i64>(0).map_err(text),
            Err("database failed: column 0 holds text, not an integer".to_owned())
        );
        assert_eq!(
            row.get::<String>(1).map_err(text),
            Err("database failed: column 1 holds an integer, not text".to_owned())
        );
        assert_eq!(
            row.get::<String>(2).map_err(text),
            Err("database failed: column 2 holds NULL, not text".to_owned())
        );
        assert_eq!(
            row.get::<i64>(3).map_err(text),
            Err("database failed: column 3 was read of a row with 3 columns".to_owned())
        );
    })
    .await;
}

#[tokio::test]
async fn a_parameter_of_another_type_than_its_column_is_refused() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let insert = "INSERT INTO items (id, amount, flag, hash) VALUES ($1, $2, $3, $4)";
        for params in [
            p!["a", "not a number", true, b"x"],
            p!["a", 1_i64, "true", b"x"],
            p!["a", 1_i64, true, "text"],
            p![b"x", 1_i64, true, b"x"],
        ] {
            let refused = db.tx(async |tx| tx.exec(insert, params).await).await;
            assert!(
                matches!(refused, Err(Error::Database(_))),
                "{params:?}: {refused:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn text_with_a_nul_is_refused() {
    on_each_engine(async |db: Db| {
        let refused = one(&db, "SELECT CAST($1 AS TEXT)", p!["a\0b"]).await;
        assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn boolean_expressions_are_read_as_booleans() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        db.tx(async |tx| tx.exec(crate::INSERT, p!["a", None::<&str>]).await)
            .await
            .unwrap();
        let sql = "SELECT amount = 1, NOT flag, flag, note IS NULL FROM items WHERE flag";
        let row = one(&db, sql, &[]).await.unwrap();
        let read: Vec<bool> = (0..4).map(|index| row.get(index).unwrap()).collect();
        assert_eq!(read, [true, false, true, true]);
    })
    .await;
}

#[tokio::test]
async fn like_tells_upper_from_lower_case() {
    on_each_engine(async |db: Db| {
        let row = one(&db, "SELECT 'A' LIKE 'a', lower('A') LIKE 'a%'", &[])
            .await
            .unwrap();
        assert_eq!((row.get::<bool>(0), row.get::<bool>(1)), (Ok(false), Ok(true)));
    })
    .await;
}

#[tokio::test]
async fn a_quoted_name_is_never_a_string() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let refused = one(&db, "SELECT \"nmae\" FROM items", &[]).await;
        assert!(matches!(refused, Err(Error::Database(_))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn exec_counts_the_rows_of_its_own_statement() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let counts = db
            .tx(async |tx| {
                let three = "INSERT INTO items (id, amount, flag) VALUES ('a', 1, TRUE), ('b', 1, TRUE), ('c', 2, TRUE)";
                let inserted = tx.exec(three, &[]).await?;
                let updated = tx.exec("UPDATE items SET amount = 5 WHERE amount = 1 RETURNING id", &[]).await?;
                let nothing = tx.exec("DELETE FROM items WHERE amount = 1", &[]).await?;
                Ok::<_, Error>((inserted, updated, nothing))
            })
            .await;
        assert_eq!(counts, Ok((3, 2, 0)));
    })
    .await;
}

#[tokio::test]
async fn rows_come_in_their_order() {
    on_each_engine(async |db: Db| {
        with_items(&db).await;
        let rows = db
            .tx(async |tx| {
                for id in ["b", "c", "a"] {
                    tx.exec(crate::INSERT, p![id, None::<&str>]).await?;
                }
                tx.all("SELECT id FROM items ORDER BY id DESC", &[]).await
            })
            .await
            .unwrap();
        let ids: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(ids, ["c", "b", "a"]);
    })
    .await;
}
