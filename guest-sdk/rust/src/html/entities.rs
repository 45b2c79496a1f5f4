//! HTML's entities: the named ones of HTML 4 and `apos`, and every number.
//!
//! <https://www.w3.org/TR/html401/sgml/entities.html>, read 2026-11-21. HTML 5 knows two thousand
//! more, which no mail needs and which would make a connector a fifth larger.

use std::borrow::Cow;

/// `name=character`, in the characters' order.
const NAMED: &str = "\
    quot=\" amp=& apos=' lt=< gt=> nbsp=\u{a0} iexcl=¡ cent=¢ pound=£ curren=¤ yen=¥ \
    brvbar=¦ sect=§ uml=¨ copy=© ordf=ª laquo=« not=¬ shy=\u{ad} reg=® macr=¯ deg=° plusmn=± \
    sup2=² sup3=³ acute=´ micro=µ para=¶ middot=· cedil=¸ sup1=¹ ordm=º raquo=» frac14=¼ \
    frac12=½ frac34=¾ iquest=¿ Agrave=À Aacute=Á Acirc=Â Atilde=Ã Auml=Ä Aring=Å AElig=Æ \
    Ccedil=Ç Egrave=È Eacute=É Ecirc=Ê Euml=Ë Igrave=Ì Iacute=Í Icirc=Î Iuml=Ï ETH=Ð \
    Ntilde=Ñ Ograve=Ò Oacute=Ó Ocirc=Ô Otilde=Õ Ouml=Ö times=× Oslash=Ø Ugrave=Ù Uacute=Ú \
    Ucirc=Û Uuml=Ü Yacute=Ý THORN=Þ szlig=ß agrave=à aacute=á acirc=â atilde=ã auml=ä \
    aring=å aelig=æ ccedil=ç egrave=è eacute=é ecirc=ê euml=ë igrave=ì iacute=í icirc=î \
    iuml=ï eth=ð ntilde=ñ ograve=ò oacute=ó ocirc=ô otilde=õ ouml=ö divide=÷ oslash=ø \
    ugrave=ù uacute=ú ucirc=û uuml=ü yacute=ý thorn=þ yuml=ÿ OElig=Œ oelig=œ Scaron=Š \
    scaron=š Yuml=Ÿ fnof=ƒ circ=ˆ tilde=˜ Alpha=Α Beta=Β Gamma=Γ Delta=Δ Epsilon=Ε Zeta=Ζ \
    Eta=Η Theta=Θ Iota=Ι Kappa=Κ Lambda=Λ Mu=Μ Nu=Ν Xi=Ξ Omicron=Ο Pi=Π Rho=Ρ Sigma=Σ Tau=Τ \
    Upsilon=Υ Phi=Φ Chi=Χ Psi=Ψ Omega=Ω alpha=α beta=β gamma=γ delta=δ epsilon=ε zeta=ζ \
    eta=η theta=θ iota=ι kappa=κ lambda=λ mu=μ nu=ν xi=ξ omicron=ο pi=π rho=ρ sigmaf=ς \
    sigma=σ tau=τ upsilon=υ phi=φ chi=χ psi=ψ omega=ω thetasym=ϑ upsih=ϒ piv=ϖ ensp=\u{2002} \
    emsp=\u{2003} thinsp=\u{2009} zwnj=\u{200c} zwj=\u{200d} lrm=\u{200e} rlm=\u{200f} \
    ndash=– mdash=— lsquo=‘ rsquo=’ sbquo=‚ ldquo=“ rdquo=” bdquo=„ dagger=† Dagger=‡ bull=• \
    hellip=… permil=‰ prime=′ Prime=″ lsaquo=‹ rsaquo=› oline=‾ frasl=⁄ euro=€ image=ℑ \
    weierp=℘ real=ℜ trade=™ alefsym=ℵ larr=← uarr=↑ rarr=→ darr=↓ harr=↔ crarr=↵ lArr=⇐ \
    uArr=⇑ rArr=⇒ dArr=⇓ hArr=⇔ forall=∀ part=∂ exist=∃ empty=∅ nabla=∇ isin=∈ notin=∉ ni=∋ \
    prod=∏ sum=∑ minus=− lowast=∗ radic=√ prop=∝ infin=∞ ang=∠ and=∧ or=∨ cap=∩ cup=∪ int=∫ \
    there4=∴ sim=∼ cong=≅ asymp=≈ ne=≠ equiv=≡ le=≤ ge=≥ sub=⊂ sup=⊃ nsub=⊄ sube=⊆ supe=⊇ \
    oplus=⊕ otimes=⊗ perp=⊥ sdot=⋅ lceil=⌈ rceil=⌉ lfloor=⌊ rfloor=⌋ lang=〈 rang=〉 loz=◊ \
    spades=♠ clubs=♣ hearts=♥ diams=♦";

/// The text with its entities as characters; what is no entity stays as it is.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    let mut rest = text;
    let mut decoded = String::new();
    while let Some((before, behind)) = rest.split_once('&') {
        decoded.push_str(before);
        let entity = behind.split_once(';');
        match entity.and_then(|(name, tail)| Some((character(name)?, tail))) {
            Some((character, tail)) => {
                decoded.push(character);
                rest = tail;
            }
            None => {
                decoded.push('&');
                rest = behind;
            }
        }
    }
    if decoded.is_empty() {
        return Cow::Borrowed(text);
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// The character of what stands between `&` and `;`. A number that is no character is U+FFFD.
fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']);
        let (digits, radix) = hex.map_or((number, 10), |digits| (digits, 16));
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        let code = u32::from_str_radix(digits, radix).ok();
        let character = code.filter(|code| *code > 0).and_then(char::from_u32);
        return Some(character.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    let mut entries = NAMED.split(' ').filter_map(|entry| entry.split_once('='));
    let (_, value) = entries.find(|(known, _)| *known == name)?;
    value.chars().next()
}
