//! Joins a module's data segments that lie close together: an upload may have a limited number of them.

use wasm_encoder::{ConstExpr, DataSection, Module, RawSection};
use wasmparser::{BinaryReaderError, Data, DataKind, DataSectionReader, Operator, Parser, Payload};

/// Zeros that are written out rather than begin another segment.
const GAP: usize = 32;

/// The module with fewer segments, whose memory begins with the same bytes. One that places segments later,
/// over each other or not at numbers is returned as it is.
pub(super) fn merge(module: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    let mut merged = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        // Only a module with this section can place a segment later.
        if let Payload::DataCountSection { .. } = payload {
            return Ok(module.to_vec());
        }
        if let Payload::DataSection(reader) = &payload {
            match joined(reader)? {
                Some(segments) => merged.section(&section(&segments)),
                None => return Ok(module.to_vec()),
            };
        } else if let Some((id, range)) = payload.as_section() {
            let data = module.get(range).unwrap_or_default();
            merged.section(&RawSection { id, data });
        }
    }
    Ok(merged.finish())
}

struct Segment {
    start: usize,
    bytes: Vec<u8>,
}

impl Segment {
    fn end(&self) -> usize {
        self.start + self.bytes.len()
    }
}

fn joined(reader: &DataSectionReader<'_>) -> Result<Option<Vec<Segment>>, BinaryReaderError> {
    let mut segments = Vec::new();
    for data in reader.clone() {
        let data = data?;
        // The snapshot leaves these, which nothing can place, where the module's own were.
        if matches!(data.kind, DataKind::Passive) {
            continue;
        }
        match placed(data)? {
            Some(segment) => segments.push(segment),
            None => return Ok(None),
        }
    }
    segments.sort_by_key(|segment| segment.start);
    let mut joined: Vec<Segment> = Vec::new();
    for segment in segments {
        match joined.last_mut() {
            Some(last) if segment.start < last.end() => return Ok(None),
            Some(last) if segment.start - last.end() <= GAP => {
                last.bytes.resize(segment.start - last.start, 0);
                last.bytes.extend(segment.bytes);
            }
            _ => joined.push(segment),
        }
    }
    Ok(Some(joined))
}

/// A segment of the first memory at a number.
fn placed(data: Data<'_>) -> Result<Option<Segment>, BinaryReaderError> {
    let DataKind::Active {
        memory_index: 0,
        offset_expr,
    } = data.kind
    else {
        return Ok(None);
    };
    let mut operators = offset_expr.get_operators_reader();
    let (first, second) = (operators.read()?, operators.read()?);
    Ok(match (first, second) {
        (Operator::I32Const { value }, Operator::End) => Some(Segment {
            start: value.cast_unsigned() as usize,
            bytes: data.data.to_vec(),
        }),
        _ => None,
    })
}

fn section(segments: &[Segment]) -> DataSection {
    let mut section = DataSection::new();
    for segment in segments {
        // It was read from 32 bits.
        let start = u32::try_from(segment.start)
            .unwrap_or_default()
            .cast_signed();
        section.active(
            0,
            &ConstExpr::i32_const(start),
            segment.bytes.iter().copied(),
        );
    }
    section
}

#[cfg(test)]
mod tests {
    use super::merge;

    fn segments(text: &str) -> usize {
        let module = merge(&wat::parse_str(text).unwrap()).unwrap();
        let printed = wasmparser::Parser::new(0).parse_all(&module);
        let counts = printed.filter_map(|payload| match payload.unwrap() {
            wasmparser::Payload::DataSection(reader) => Some(reader.count() as usize),
            _ => None,
        });
        counts.sum()
    }

    #[test]
    fn segments_close_together_become_one() {
        let text = r#"(module (memory 1)
            (data (i32.const 40) "b") (data (i32.const 0) "a") (data (i32.const 33) "c") (data (i32.const 99) "d"))"#;
        assert_eq!(segments(text), 2);
    }

    #[test]
    fn segments_that_overlap_or_wait_to_be_placed_stay_as_they_are() {
        let overlapping =
            r#"(module (memory 1) (data (i32.const 0) "abc") (data (i32.const 1) "d"))"#;
        assert_eq!(segments(overlapping), 2);
        let waiting = r#"(module (memory 1) (data $later "abc") (data (i32.const 1) "d")
            (func (memory.init $later (i32.const 0) (i32.const 0) (i32.const 3))))"#;
        assert_eq!(segments(waiting), 2);
    }
}
