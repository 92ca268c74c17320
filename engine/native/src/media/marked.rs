//! Says in a film that a program made it: for players by iTunes' tags, for machines by IPTC's digital source type, which is XMP (IPTC Photo Metadata 2023.1;
//! XMP part 3, 1.2.7.1 for its place in an MP4).

use shiguredo_mp4::boxes::UnknownBox;

use super::entries::other_box;

/// What people read.
const COMMENT: &str = "Synthetic: a program made this face speak";
const PROGRAM: &str = concat!("Vultus ", env!("CARGO_PKG_VERSION"));
/// The box's type, as Adobe has registered it.
const XMP: [u8; 16] = *b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac";
/// A picture of a person, brought to life by networks.
const SOURCE: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";

/// A whole box for the file's top level.
pub(super) fn source() -> Vec<u8> {
    let packet = format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
         xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
         xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
         Iptc4xmpExt:DigitalSourceType=\"{SOURCE}\" xmp:CreatorTool=\"{PROGRAM}\"/></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>"
    );
    let length = (8 + XMP.len() + packet.len()) as u32;
    [&length.to_be_bytes(), b"uuid".as_slice(), &XMP, packet.as_bytes()].concat()
}

/// User data for the index.
pub(super) fn tags() -> UnknownBox {
    let boxed = |kind: &[u8; 4], payload: &[u8]| {
        [&((8 + payload.len()) as u32).to_be_bytes(), kind.as_slice(), payload].concat()
    };
    // UTF-8, any language.
    let text = |kind, text: &str| boxed(kind, &boxed(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], text.as_bytes()].concat()));
    let handler = [&[0; 8], b"mdirappl".as_slice(), &[0; 9]].concat();
    let list = [text(b"\xa9too", PROGRAM), text(b"\xa9cmt", COMMENT)].concat();
    let meta = [&[0; 4], boxed(b"hdlr", &handler).as_slice(), &boxed(b"ilst", &list)].concat();
    other_box(b"udta", boxed(b"meta", &meta))
}
