//! Writes protocol buffers, as far as ONNX and TensorBoard need them.

/// A message, built field by field.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// The encoded message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The message as it is encoded so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A whole number that is not negative.
    pub fn integer(mut self, field: u32, value: u64) -> Self {
        self.tag(field, 0);
        self.varint(value);
        self
    }

    /// A float32.
    pub fn float(mut self, field: u32, value: f32) -> Self {
        self.tag(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A float64.
    pub fn double(mut self, field: u32, value: f64) -> Self {
        self.tag(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Bytes.
    pub fn bytes(mut self, field: u32, value: &[u8]) -> Self {
        self.tag(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    /// Text.
    pub fn text(self, field: u32, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    /// A message within.
    pub fn message(self, field: u32, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    fn tag(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }

    /// Seven bits in each byte, lowest first; the eighth bit is set if more bytes follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_encoded_as_the_format_says() {
        let inner = Message::default().integer(1, 300);
        let outer = Message::default().text(2, "ab").message(16, &inner).float(3, 1.0);
        let want = b"\x12\x02ab\x82\x01\x03\x08\xac\x02\x1d\x00\x00\x80\x3f";
        assert_eq!(outer.into_bytes(), want);
        let double = Message::default().double(1, 1.0);
        assert_eq!(double.into_bytes(), b"\x09\x00\x00\x00\x00\x00\x00\xf0\x3f");
    }
}
