# SPDX-License-Identifier: Apache-2.0
# Writes to the file ASKED_LOG which modules are asked for by Perl programs that are not part of Perl themselves.
package Asked;
use strict;
our $log = $ENV{ASKED_LOG};

BEGIN {
    *CORE::GLOBAL::require = sub {
        my ($name) = @_;
        my ($package, $file) = caller;
        # What a module of Perl's asks for comes with that module's own package; so does what it evaluates.
        my $of_perl = $file =~ /^\(eval/ || grep { m{^/(usr|etc)/} && index($file, "$_/") == 0 } @INC;
        if ($name =~ m{^[\w/]+\.pm$} && !$of_perl && open my $out, '>>', $log) {
            print $out "$name\n";
            close $out;
        }
        return CORE::require($name);
    };
}
1;
