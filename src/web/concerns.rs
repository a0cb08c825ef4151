//! How a tenant's concerns are shown: the colour of each, and the page that has more about it.

use access::wave::Wave;

use crate::admin::health::glance::Concern;

/// From this weight on a concern is about access that is wrong, or soon will be.
const GRAVE: u32 = 12;

impl Concern {
    /// Its colour: `bad`, `warn`, or none.
    pub(super) const fn class(self) -> &'static str {
        match self.weight() {
            GRAVE.. => "bad",
            2.. => "warn",
            _ => "",
        }
    }

    /// Where there is more about it, among the tenant's pages; those that a setup link opens unless
    /// it is for an operator.
    pub(super) fn page(self, last_wave: Option<&Wave>, is_operator: bool) -> String {
        match (self, last_wave) {
            (Self::MassChange, _) if is_operator => "/holds".to_owned(),
            (Self::WebhookFails, _) if is_operator => "/webhooks".to_owned(),
            (Self::TokenExpired | Self::TokenExpires, _) if is_operator => "/tokens".to_owned(),
            (Self::TokenExpired | Self::TokenExpires | Self::NotConnected, _) => {
                "/configure".to_owned()
            }
            (Self::AttributeMissing, _) => "/mapping-check".to_owned(),
            (Self::Errors, Some(wave)) => format!("/requests?wave={}&errors=true", wave.id),
            _ => "/health".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_concern_has_its_own_colour_whatever_else_is_wrong() {
        let shown = [Concern::TokenExpired, Concern::WrongToken, Concern::Errors];
        assert_eq!(shown.map(Concern::class), ["bad", "warn", "warn"]);
        assert_eq!(Concern::NotConnected.class(), "");
    }

    #[test]
    fn nobody_is_sent_to_a_page_that_is_not_open_to_them() {
        for (concern, operators, guests) in [
            (Concern::MassChange, "/holds", "/health"),
            (Concern::WebhookFails, "/webhooks", "/health"),
            (Concern::TokenExpires, "/tokens", "/configure"),
            (Concern::AttributeMissing, "/mapping-check", "/mapping-check"),
            (Concern::Errors, "/health", "/health"),
        ] {
            let pages = [concern.page(None, true), concern.page(None, false)];
            assert_eq!(pages, [operators, guests], "{concern:?}");
        }
    }
}
