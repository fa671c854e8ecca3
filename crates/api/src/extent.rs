//! How much a message holds, counted on its bytes before anything is decoded.
//!
//! An empty element is two bytes on the wire and a hundred bytes in memory. So a
//! message within its limit of bytes can still hold millions of values.
//!
//! Source: Protocol Buffers, "Encoding".

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::Error;

/// Most elements of lists and maps in one message; REST has the same limit for values.
pub(crate) const MOST_ELEMENTS: usize = 100_000;

/// Most fields, of all nested messages together. One free-form value of REST is four:
/// the entry of a map, its key, its value, and the content of that.
const MOST_FIELDS: usize = 4 * MOST_ELEMENTS;

/// The same as the decoder's own limit.
const DEEPEST: usize = 100;

/// Refuses a message that holds too much.
///
/// # Errors
///
/// Also if the bytes are no message.
pub(crate) fn check(descriptor: &MessageDescriptor, message: &[u8]) -> Result<(), Error> {
    let mut left = RemainingExtent {
        elements: MOST_ELEMENTS,
        fields: MOST_FIELDS,
    };
    left.message(descriptor, message, DEEPEST)
        .map_err(|stop| match stop {
            Stop::TooMany => Error::too_large(format!(
                "a message may hold {MOST_ELEMENTS} elements of lists and maps at most"
            )),
            Stop::Malformed => Error::invalid("", "the message cannot be read as what the method takes"),
        })
}

enum Stop {
    TooMany,
    Malformed,
}

/// What the message may still hold.
struct RemainingExtent {
    elements: usize,
    fields: usize,
}

impl RemainingExtent {
    fn message(
        &mut self,
        descriptor: &MessageDescriptor,
        mut bytes: &[u8],
        depth: usize,
    ) -> Result<(), Stop> {
        let depth = depth.checked_sub(1).ok_or(Stop::Malformed)?;
        while !bytes.is_empty() {
            let tag = varint(&mut bytes)?;
            let number = u32::try_from(tag >> 3).map_err(|_| Stop::Malformed)?;
            let field = descriptor.get_field(number);
            self.fields = self.fields.checked_sub(1).ok_or(Stop::TooMany)?;
            // The decoder keeps unknown fields, each as a value of its own.
            let is_element = |field: &FieldDescriptor| field.is_list() || field.is_map();
            if field.as_ref().is_none_or(is_element) {
                self.take(1)?;
            }
            match tag & 7 {
                0 => drop(varint(&mut bytes)?),
                1 => drop(take(&mut bytes, 8)?),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?).map_err(|_| Stop::Malformed)?;
                    let content = take(&mut bytes, length)?;
                    if let Some(field) = field {
                        self.content(&field, content, depth)?;
                    }
                }
                5 => drop(take(&mut bytes, 4)?),
                // Groups: no message of the contract has one.
                _ => return Err(Stop::Malformed),
            }
        }
        Ok(())
    }

    /// The content of a length-delimited field.
    fn content(&mut self, field: &FieldDescriptor, content: &[u8], depth: usize) -> Result<(), Stop> {
        match field.kind() {
            Kind::Message(inner) => self.message(&inner, content, depth),
            Kind::String | Kind::Bytes => Ok(()),
            _ if !field.is_list() => Ok(()),
            // Packed scalars.
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => self.take(content.len() / 8),
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => self.take(content.len() / 4),
            _ => self.take(content.iter().filter(|byte| **byte < 0x80).count()),
        }
    }

    fn take(&mut self, elements: usize) -> Result<(), Stop> {
        self.elements = self.elements.checked_sub(elements).ok_or(Stop::TooMany)?;
        Ok(())
    }
}

fn take<'b>(bytes: &mut &'b [u8], length: usize) -> Result<&'b [u8], Stop> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or(Stop::Malformed)?;
    *bytes = rest;
    Ok(taken)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Stop> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Stop::Malformed)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Stop::Malformed)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::value::Kind as Free;
    use prost_types::{ListValue, Struct, Value};

    use super::*;
    use crate::descriptors;

    fn judge(message: &str, bytes: &[u8]) -> Result<(), &'static str> {
        let descriptor = descriptors::pool().get_message_by_name(message).unwrap();
        check(&descriptor, bytes).map_err(|error| match error {
            Error::Refused(refusal) => refusal.error_code,
            Error::Store(_) => "store",
        })
    }

    fn repeated(element: &[u8], times: usize) -> Vec<u8> {
        element.repeat(times)
    }

    const ASSIGN: &str = "scalekit.v1.users.AssignUserRolesRequest";
    const STRUCT: &str = "google.protobuf.Struct";

    #[test]
    fn elements_are_counted_and_not_bytes() {
        // Field 3 is the repeated message `roles`.
        assert_eq!(judge(ASSIGN, &repeated(&[0x1a, 0], MOST_ELEMENTS)), Ok(()));
        assert_eq!(
            judge(ASSIGN, &repeated(&[0x1a, 0], MOST_ELEMENTS + 1)),
            Err("MESSAGE_TOO_LARGE")
        );
        let mut long = vec![0x0a, 0x80, 0x80, 0x80, 0x01];
        long.extend(repeated(b"x", 0x20_0000));
        assert_eq!(judge(ASSIGN, &long), Ok(()));
    }

    #[test]
    fn fields_that_nobody_knows_count_too() {
        // Field 15, a number.
        assert_eq!(
            judge(ASSIGN, &repeated(&[0x78, 1], MOST_ELEMENTS + 1)),
            Err("MESSAGE_TOO_LARGE")
        );
    }

    #[test]
    fn one_field_again_and_again_has_an_end() {
        // Field 1 is a single text: the last one counts.
        assert_eq!(judge(ASSIGN, &repeated(&[0x0a, 0], MOST_FIELDS)), Ok(()));
        assert_eq!(
            judge(ASSIGN, &repeated(&[0x0a, 0], MOST_FIELDS + 1)),
            Err("MESSAGE_TOO_LARGE")
        );
    }

    #[test]
    fn packed_numbers_are_elements() {
        let name = "google.protobuf.SourceCodeInfo.Location";
        let packed = |count: usize| {
            let mut bytes = vec![0x0a];
            prost::encoding::encode_varint(count as u64, &mut bytes);
            bytes.extend(repeated(&[0], count));
            bytes
        };
        // The field itself is one.
        assert_eq!(judge(name, &packed(MOST_ELEMENTS - 1)), Ok(()));
        assert_eq!(judge(name, &packed(MOST_ELEMENTS)), Err("MESSAGE_TOO_LARGE"));
    }

    fn list(values: Vec<Value>) -> Value {
        Value {
            kind: Some(Free::ListValue(ListValue { values })),
        }
    }

    fn object(value: Value) -> Vec<u8> {
        Struct {
            fields: [("a".to_owned(), value)].into(),
        }
        .encode_to_vec()
    }

    #[test]
    fn what_stands_deep_inside_counts() {
        let null = Value {
            kind: Some(Free::NullValue(0)),
        };
        let many = |count: usize| object(list(vec![list(vec![null.clone(); count / 2]); 2]));
        assert_eq!(judge(STRUCT, &many(90_000)), Ok(()));
        assert_eq!(judge(STRUCT, &many(110_000)), Err("MESSAGE_TOO_LARGE"));
    }

    #[test]
    fn what_rest_takes_fits() {
        let fields = (0..MOST_ELEMENTS - 10).map(|index| {
            let value = Value {
                kind: Some(Free::BoolValue(true)),
            };
            (index.to_string(), value)
        });
        let message = Struct {
            fields: fields.collect(),
        };
        assert_eq!(judge(STRUCT, &message.encode_to_vec()), Ok(()));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let mut deep = Value { kind: None };
        for _ in 0..60 {
            deep = list(vec![deep]);
        }
        for bytes in [
            &[0x0a][..],
            &[0x0a, 5, b'x'],
            &[0x09, 1],
            &[0x80],
            &[0xff; 11],
            // A group that begins.
            &[0x0b],
            &object(deep),
        ] {
            assert_eq!(judge(STRUCT, bytes), Err("INVALID_ARGUMENT"), "{bytes:?}");
        }
    }
}
