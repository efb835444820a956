//! As much of the protobuf wire format as a vector tile needs (protobuf.dev/programming-guides/encoding).

/// Bytes of a number in variable length.
pub(super) const fn varint_len(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

/// Bytes of a field of some length, with its key (field numbers below 16) and length.
pub(super) const fn field_len(bytes: usize) -> usize {
    1 + varint_len(bytes as u64) + bytes
}

/// Appends a number in variable length.
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends the key and the length of a field that is told by its length; its bytes follow.
pub(super) fn put_header(out: &mut Vec<u8>, field: u8, bytes: usize) {
    out.push(field << 3 | 2);
    put_varint(out, bytes as u64);
}

/// Appends a field that is told by its length: text, bytes, a message.
pub(super) fn put_field(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    put_header(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a field that is a number.
pub(super) fn put_number(out: &mut Vec<u8>, field: u8, number: u64) {
    out.push(field << 3);
    put_varint(out, number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_specification_shows_and_as_long_as_said() {
        // The examples of the guide, and where a byte more is needed.
        let cases: [(u64, &[u8]); 6] = [
            (0, &[0]),
            (1, &[1]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (150, &[0x96, 1]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ];
        for (number, wanted) in cases {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!((out.as_slice(), varint_len(number)), (wanted, wanted.len()), "{number}");
        }
        for bits in 0..64 {
            let mut out = Vec::new();
            put_varint(&mut out, 1 << bits);
            assert_eq!(varint_len(1 << bits), out.len(), "2^{bits}");
        }
    }

    #[test]
    fn a_field_of_text_is_written_as_the_specification_shows() {
        let mut out = Vec::new();
        put_field(&mut out, 2, b"testing");
        assert_eq!(out, [0x12, 7, b't', b'e', b's', b't', b'i', b'n', b'g']);
        assert_eq!(out.len(), field_len(7));
    }
}
