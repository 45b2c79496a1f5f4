//! How many messages left by a source that is being warmed up. It outlives the process: a restart must not
//! make an address look new.

use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError, row};
use crate::id::SourceName;
use crate::source::{Allowance, Span, Use};

impl Store {
    /// What was counted last.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn source_use(&self, source: &SourceName) -> Result<Vec<Use>, StoreError> {
        let rows = sqlx::query(SELECT)
            .bind(source.to_string())
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(counted).collect()
    }

    /// Counts one more message before it leaves. Answers whether it is within every allowance; if not, it
    /// is not counted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_source(
        &self,
        source: &SourceName,
        allowances: Vec<Allowance>,
    ) -> Result<bool, StoreError> {
        let source = source.to_string();
        self.writer()
            .write(move |db| Box::pin(count(db, source, allowances)))
            .await
    }
}

const SELECT: &str = "SELECT span, starts_at, count FROM source_use WHERE source = ?";

async fn count(
    db: &mut SqliteConnection,
    source: String,
    allowances: Vec<Allowance>,
) -> Result<bool, StoreError> {
    let rows = sqlx::query(SELECT)
        .bind(source.clone())
        .fetch_all(&mut *db)
        .await?;
    let uses: Vec<Use> = rows.iter().map(counted).collect::<Result<_, _>>()?;
    let spent = |allowance: &Allowance| allowance.used(&uses) >= allowance.most;
    if allowances.iter().any(spent) {
        return Ok(false);
    }
    for allowance in allowances {
        // A count of a later span goes on: the clock was set back.
        sqlx::query(
            "INSERT INTO source_use (source, span, starts_at, count) \
             SELECT ?1, ?2, ?3, 1 WHERE EXISTS (SELECT 1 FROM egress_source WHERE name = ?1) \
             ON CONFLICT (source, span) DO UPDATE SET \
               count = iif(starts_at < ?3, 1, count + 1), starts_at = max(starts_at, ?3)",
        )
        .bind(source.clone())
        .bind(allowance.span.as_str())
        .bind(allowance.starts_at.as_millis())
        .execute(&mut *db)
        .await?;
    }
    Ok(true)
}

fn counted(row: &sqlx::sqlite::SqliteRow) -> Result<Use, StoreError> {
    let span: &str = row.try_get("span")?;
    Ok(Use {
        span: match span {
            "day" => Span::Day,
            "hour" => Span::Hour,
            _ => return Err(StoreError::corrupt("span of a source's use")),
        },
        starts_at: row::time(row, "starts_at")?,
        count: row.try_get("count")?,
    })
}
